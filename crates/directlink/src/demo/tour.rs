//! What to type while the demo stays up.

use super::story::Story;
use crate::output;
use anyhow::{Context as _, Result};

/// Prints commands that work as they stand.
pub(super) fn show(story: &Story) -> Result<()> {
    let Story { lab, router, router_netns, office_netns, host, port, connection } = story;
    let account = lab.described.accounts.first().context("the lab has no account")?;
    let program = std::env::current_exe()?;
    let (program, dir) = (program.display(), lab.name.dir().display());
    let (api, aws, region) = (&lab.described.api, &lab.described.aws, &lab.described.region);
    let endpoint = api.strip_suffix("/api/v1").unwrap_or(api);
    output::print(&format!(
        "\nThe Region stays up until Ctrl-C. Look around in a browser:\n\
         \x20 {cockpit}   as {login}, password {password}\n\
         \x20 {operator}   as the operator, token {token}\n\n\
         And from another terminal:\n\n\
         As the customer, with AWS CLI or any OUTSCALE client (make setup puts them into target/venv/bin):\n\
         \x20 export AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY={secret} AWS_DEFAULT_REGION={region}\n\
         \x20 aws directconnect describe-virtual-interfaces --connection-id {connection} --endpoint-url {aws}\n\
         \x20 export OSC_ACCESS_KEY={key} OSC_SECRET_KEY={secret} OSC_REGION={region} OSC_ENDPOINT_API={api}\n\
         \x20 python -c 'from osc_sdk_python import Gateway; print(Gateway().ReadDirectLinks())'\n\
         \x20 curl --user {key}:{secret} --aws-sigv4 osc:osc:{region}:api -d '{{}}' \\\n\
         \x20      -H 'Content-Type: application/json' {endpoint}/api/v1/ReadRouteTables\n\n\
         As the customer's network engineer:\n\
         \x20 {shell}\n\
         \x20 ip netns exec {router_netns} tcpdump -ni vlan101\n\
         \x20 ip netns exec {office_netns} ping {address}\n\
         \x20 ip netns exec {office_netns} curl http://{address}/\n\n\
         As the operator:\n\
         \x20 export DIRECTLINK_STATE={dir}\n\
         \x20 {program} connection list\n\
         \x20 {program} interface list\n\
         \x20 {program} lab status\n\
         \x20 {program} lab uncable --port {port}\n",
        cockpit = lab.described.cockpit,
        login = account.login,
        password = account.password,
        operator = lab.described.operator.cockpit,
        token = lab.described.operator.token,
        key = account.access_key,
        secret = account.secret_key,
        shell = router.shell(),
        address = host.address,
    ))
}
