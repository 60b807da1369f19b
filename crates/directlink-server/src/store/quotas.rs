//! Rows of the limits that are an account's own, and what counts against each.

use super::{Error, row::Columns, statements};
use directlink_model::{ids::AccountId, quota::Quota};
use sqlx::{AnyConnection, query};

statements! {
    PUT = "INSERT INTO quota (account, name, at_most) VALUES ($1, $2, $3)
           ON CONFLICT (account, name) DO UPDATE SET at_most = excluded.at_most";
    DROP = "DELETE FROM quota WHERE account = $1 AND name = $2";
    LIMIT = "SELECT at_most FROM quota WHERE account = $1 AND name = $2";
    CONNECTIONS = "SELECT COUNT(*) AS n FROM connection WHERE account = $1 AND deleted_us IS NULL";
    LAGS = "SELECT COUNT(*) AS n FROM lag WHERE account = $1 AND deleted_us IS NULL";
    INTERFACES = "SELECT COALESCE(MAX(n), 0) AS n FROM (
                      SELECT COUNT(*) AS n FROM interface i JOIN connection c ON c.id = i.connection
                      WHERE c.account = $1 AND c.deleted_us IS NULL
                        AND i.deleted_us IS NULL AND i.expired_us IS NULL AND i.rejected_us IS NULL
                      GROUP BY i.connection) AS counted";
    GATEWAYS = "SELECT COUNT(*) AS n FROM gateway WHERE account = $1 AND deleted_us IS NULL";
    NETS = "SELECT COUNT(*) AS n FROM net WHERE account = $1";
    NICS = "SELECT COUNT(*) AS n FROM nic WHERE account = $1";
    ROUTE_TABLES = "SELECT COUNT(*) AS n FROM route_table WHERE account = $1";
    ROUTES = "SELECT COALESCE(MAX(n), 0) AS n FROM (
                  SELECT COUNT(*) AS n FROM route r JOIN route_table t ON t.id = r.route_table
                  WHERE t.account = $1 GROUP BY r.route_table) AS counted";
    SECURITY_GROUPS = "SELECT COUNT(*) AS n FROM security_group WHERE account = $1";
    RULES = "SELECT COALESCE(MAX(n), 0) AS n FROM (
                 SELECT COUNT(*) AS n FROM security_group_rule r JOIN security_group g ON g.id = r.security_group
                 WHERE g.account = $1 GROUP BY r.security_group) AS counted";
    TAGS = "SELECT COALESCE(MAX(n), 0) AS n FROM (
                SELECT COUNT(*) AS n FROM tag WHERE account = $1 GROUP BY resource) AS counted";
    ACCESS_KEYS = "SELECT COUNT(*) AS n FROM access_key WHERE account = $1";
}

/// `None`: the Region's rule.
pub(crate) async fn put(
    db: &mut AnyConnection,
    account: AccountId,
    quota: Quota,
    limit: Option<u32>,
) -> Result<(), Error> {
    let (account, name) = (account.to_string(), quota.as_str());
    match limit {
        Some(limit) => {
            query(PUT).bind(account).bind(name).bind(i64::from(limit)).execute(db).await?
        }
        None => query(DROP).bind(account).bind(name).execute(db).await?,
    };
    Ok(())
}

/// `None`: the Region's rule.
pub(crate) async fn limit(
    db: &mut AnyConnection,
    account: AccountId,
    quota: Quota,
) -> Result<Option<u32>, Error> {
    query(LIMIT)
        .bind(account.to_string())
        .bind(quota.as_str())
        .fetch_optional(db)
        .await?
        .map(|row| row.narrow("at_most"))
        .transpose()
}

/// How many the account has; of what is counted for each of several things, the most of one.
pub(crate) async fn used(
    db: &mut AnyConnection,
    account: AccountId,
    quota: Quota,
) -> Result<u32, Error> {
    let statement = match quota {
        Quota::Connections => CONNECTIONS,
        Quota::Lags => LAGS,
        Quota::InterfacesPerConnection => INTERFACES,
        Quota::Gateways => GATEWAYS,
        Quota::Nets => NETS,
        Quota::Nics => NICS,
        Quota::RouteTables => ROUTE_TABLES,
        Quota::RoutesPerTable => ROUTES,
        Quota::SecurityGroups => SECURITY_GROUPS,
        Quota::RulesPerGroup => RULES,
        Quota::TagsPerResource => TAGS,
        Quota::AccessKeys => ACCESS_KEYS,
    };
    query(statement).bind(account.to_string()).fetch_one(db).await?.narrow("n")
}
