//! Writing and listing sets of rules: what the security groups of NICs admit, and what the route tables
//! of their Subnets say.
//!
//! A set has rows of IPv4, which say that it is there, rows of IPv6 where it has such rules, and rows of
//! routes where the table says anything but that it takes what is learned.

use crate::{
    handle::{Done, TableError, in_table, listed, present},
    load::Dataplane,
    rows::{Rule, RuleSet, RuleSetNumber, SubnetRoutes},
    tables::{
        Direction, HAND_ROUTE_ROWS_PER_SET, HAND_ROUTES_PER_ROW, RULE_ROWS_PER_SET, RULES_PER_ROW,
        Rule6Row, RuleKey, RuleRow, SubnetRoutesKey, SubnetRoutesRow,
    },
};
use directlink_net::IpNet;
use std::collections::BTreeSet;

impl Dataplane {
    /// Writes a set of rules. Put it before the NIC that names it, and never over a set that
    /// a NIC names: packets would meet it half written.
    ///
    /// # Errors
    /// More than 1,024 rules one way or routes by hand, or the kernel refused (a full table).
    pub fn put_rule_set(&mut self, number: RuleSetNumber, set: &RuleSet) -> Done {
        // A set is there once its rows of IPv4 are: all others come first.
        self.put_subnet_routes(number, &set.routes)?;
        for (direction, rules) in Direction::BOTH.into_iter().zip([&set.inbound, &set.outbound]) {
            let (of_ipv4, of_ipv6): (Vec<_>, Vec<_>) =
                rules.iter().cloned().partition(|rule| matches!(rule.range, IpNet::V4(_)));
            for rules in [&of_ipv4, &of_ipv6] {
                if rules.len() > RULES_PER_ROW * RULE_ROWS_PER_SET {
                    return Err(TableError::Rules(rules.len()));
                }
            }
            for (row, chunk) in (0..).zip(of_ipv6.chunks(RULES_PER_ROW)) {
                let key = RuleKey::new(number, direction, row);
                let written = self.tables.rules6.insert(key, Rule6Row::new(chunk), 0);
                written.map_err(in_table("rules6"))?;
            }
            for (row, chunk) in (0..).zip(rule_chunks(&of_ipv4)) {
                let key = RuleKey::new(number, direction, row);
                let written = self.tables.rules.insert(key, RuleRow::new(chunk), 0);
                written.map_err(in_table("rules"))?;
            }
        }
        Ok(())
    }

    /// # Errors
    /// The kernel refused.
    pub fn remove_rule_set(&mut self, number: RuleSetNumber) -> Done {
        for direction in Direction::BOTH {
            for row in 0.. {
                let key = RuleKey::new(number, direction, row);
                let of_ipv4 = present(self.tables.rules.remove(&key)).map_err(in_table("rules"))?;
                let of_ipv6 =
                    present(self.tables.rules6.remove(&key)).map_err(in_table("rules6"))?;
                if of_ipv4.is_none() && of_ipv6.is_none() {
                    break;
                }
            }
        }
        for row in 0.. {
            let key = SubnetRoutesKey::new(number, row);
            let removed = present(self.tables.subnet_routes.remove(&key));
            if removed.map_err(in_table("subnet_routes"))?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn put_subnet_routes(&mut self, number: RuleSetNumber, routes: &SubnetRoutes) -> Done {
        if routes.by_hand.len() > HAND_ROUTES_PER_ROW * HAND_ROUTE_ROWS_PER_SET {
            return Err(TableError::HandRoutes(routes.by_hand.len()));
        }
        for (row, content) in (0..).zip(SubnetRoutesRow::all(routes)) {
            let key = SubnetRoutesKey::new(number, row);
            let written = self.tables.subnet_routes.insert(key, content, 0);
            written.map_err(in_table("subnet_routes"))?;
        }
        Ok(())
    }

    fn subnet_routes(&self, number: RuleSetNumber) -> Result<SubnetRoutes, TableError> {
        let mut routes = SubnetRoutes::default();
        for row in 0.. {
            let key = SubnetRoutesKey::new(number, row);
            let found = present(self.tables.subnet_routes.get(&key, 0));
            let Some(row) = found.map_err(in_table("subnet_routes"))? else { break };
            routes.takes_learned = row.takes_learned();
            routes.by_hand.extend(row.by_hand());
        }
        Ok(routes)
    }

    /// `None` if there is no such set. Rules of IPv4 come first.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn rule_set(&self, number: RuleSetNumber) -> Result<Option<RuleSet>, TableError> {
        let inbound = self.rules(number, Direction::Inbound)?;
        let outbound = self.rules(number, Direction::Outbound)?;
        let routes = self.subnet_routes(number)?;
        Ok(inbound.zip(outbound).map(|(inbound, outbound)| RuleSet { inbound, outbound, routes }))
    }

    /// The numbers of all sets.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn rule_sets(&self) -> Result<BTreeSet<RuleSetNumber>, TableError> {
        listed("rules", self.tables.rules.keys(), |key: RuleKey| key.rule_set())
    }

    fn rules(
        &self,
        number: RuleSetNumber,
        direction: Direction,
    ) -> Result<Option<Vec<Rule>>, TableError> {
        let mut found = None;
        for row in 0.. {
            let key = RuleKey::new(number, direction, row);
            match present(self.tables.rules.get(&key, 0)).map_err(in_table("rules"))? {
                Some(row) => found.get_or_insert_with(Vec::new).extend(row.rules()),
                None => break,
            }
        }
        let Some(rules) = &mut found else { return Ok(None) };
        for row in 0.. {
            let key = RuleKey::new(number, direction, row);
            match present(self.tables.rules6.get(&key, 0)).map_err(in_table("rules6"))? {
                Some(row) => rules.extend(row.rules()),
                None => break,
            }
        }
        Ok(found)
    }
}

/// At least one row, so that an empty set is a set that is there.
fn rule_chunks(rules: &[Rule]) -> impl Iterator<Item = &[Rule]> {
    let empty = rules.is_empty().then_some([].as_slice());
    empty.into_iter().chain(rules.chunks(RULES_PER_ROW))
}
