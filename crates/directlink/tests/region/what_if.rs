//! What is foretold comes true: the same change is asked about, made, and looked at in the customer's
//! router, in the Region's route table, and with packets.

use crate::{
    drains::{LAN, Road},
    fixture::{SOON, await_reach, reaches, run, text},
    legs::plug,
};
use anyhow::{Context as _, Result, ensure};
use directlink_lab::clock;
use serde_json::{Value, json};

/// What `directlink what-if …` says of the only Net; nothing if it would not feel it.
fn asked(road: &Road, words: &[&str]) -> Result<Option<Value>> {
    let words = [&["what-if"], words, &["--output", "json"][..]].concat();
    let told: Value = serde_json::from_str(&road.operator(&words)?)?;
    Ok(told["effects"].as_array().context("effects")?.first().cloned())
}

/// The customer's router has a way to the Net, by its own word and its kernel's.
fn await_way(road: &Road, by: Option<&str>) -> Result<()> {
    let netns = &road.customer.fibres[0].netns;
    clock::until(&format!("the way to be {by:?}"), SOON * 2, || {
        let way = road.way().unwrap_or_default();
        let kernel = run(&["ip", "-n", netns, "route", "show", &road.cloud.range])?;
        Ok(match by {
            Some(leg) => kernel.contains(leg) && way.contains(leg),
            None => kernel.trim().is_empty(),
        }
        .then_some(()))
    })
}

#[test]
fn what_is_foretold_of_a_dark_location_a_rule_and_a_deletion_comes_true() -> Result<()> {
    let road = Road::new(true, &[])?;
    let (region, fibres) = (&road.region, &road.customer.fibres);
    let (host, office) = (&road.cloud.host, &road.office);

    // Nothing depends on one place, and PAR1 may go.
    let now = asked(&road, &["coverage"])?.context("the Net")?;
    ensure!(
        now["depends_on"]["kept"] == json!([]) && now["routes"]["kept"] == json!([LAN]),
        "{now}"
    );
    let told = asked(&road, &["dark", "location", "PAR1"])?.context("it is felt")?;
    ensure!(told["reached_after"] == true && told["routes"]["lost"] == json!([]), "{told}");
    let places = json!(["location PAR4", "router par4-r1"]);
    ensure!(told["depends_on"]["gained"] == places, "{told}");
    await_way(&road, Some("leg0"))?;
    region.pull(&fibres[0])?;
    await_way(&road, Some("leg1"))?;
    region.await_connection(&fibres[0], "down")?;
    await_reach(office, host.address)?;
    clock::until("the other way alone", SOON, || {
        let now = asked(&road, &["coverage"])?.context("the Net")?;
        Ok((now["depends_on"]["kept"] == places).then_some(()))
    })?;

    // Now the other is the last: without it the Net is dark, as it is then.
    let told = asked(&road, &["dark", "location", "PAR4"])?.context("it is felt")?;
    ensure!(told["reached_after"] == false && told["routes"]["lost"] == json!([LAN]), "{told}");
    let delete = asked(&road, &["delete-interface", &road.customer.interfaces[1].id])?;
    let delete = delete.context("it is felt")?;
    ensure!(delete["routes"] == told["routes"] && delete["reach"] == told["reach"], "{delete}");
    ensure!(asked(&road, &["dark", "location", "PAR1"])?.is_none(), "it is dark already");
    region.pull(&fibres[1])?;
    await_way(&road, None)?;
    clock::until("no route in the Region", SOON, || {
        Ok((!region.routes(&road.cloud)?.iter().any(|route| route == LAN)).then_some(()))
    })?;
    ensure!(!reaches(office, host.address)?);
    (0..2).try_for_each(|n| plug(region, fibres, n))?;
    road.customer.await_both(region)?;
    await_reach(office, host.address)?;

    // A rule: what closes is what no packet passes any more.
    let group = &road.cloud.group;
    let told = asked(&road, &["remove-rule", group, "--range", LAN])?.context("it is felt")?;
    ensure!(text(&told["reach"]["lost"][0], "from") == LAN, "{told}");
    let rule = json!({
        "SecurityGroupId": group, "Flow": "Inbound", "IpProtocol": "-1", "IpRange": LAN,
    });
    region.call(0, "DeleteSecurityGroupRule", rule)?;
    clock::until("the rule to be gone", SOON, || {
        Ok((!reaches(office, host.address)?).then_some(()))
    })?;
    let told = asked(&road, &["add-rule", group, "--protocol", "icmp", "--range", LAN])?;
    let told = told.context("it is felt")?;
    ensure!(text(&told["reach"]["gained"][0], "protocol") == "icmp", "{told}");

    // A customer asks about what is theirs, and another has nothing.
    let account = |n: usize, words: &[&str]| {
        let lab = &region.lab.described;
        let keys = &lab.accounts[n];
        let command = [
            "env".to_owned(),
            format!("OSC_ACCESS_KEY={}", keys.access_key),
            format!("OSC_SECRET_KEY={}", keys.secret_key),
            format!("OSC_ENDPOINT_API={}", lab.api),
            format!("OSC_REGION={}", lab.region),
            env!("CARGO_BIN_EXE_directlink").to_owned(),
        ];
        let command = command.iter().map(String::as_str);
        run(&command.chain(words.iter().copied()).collect::<Vec<_>>())
    };
    let words = ["what-if", "delete-interface", &road.customer.interfaces[0].id];
    let told = account(0, &words)?;
    ensure!(told.contains("PAR4"), "{told}");
    let foreign = account(1, &words).map_err(|error| error.to_string());
    ensure!(foreign.is_err_and(|text| text.contains("doesn't exist")));
    let told = account(1, &["what-if", "coverage"])?;
    ensure!(told.contains("there is no Net"), "{told}");
    Ok(())
}
