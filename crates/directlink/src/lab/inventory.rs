//! The physical inventory of a lab: a meet-me room and a panel at each location, and each port's place.
//!
//! The network namespace that is a lab's patch panel has jacks; here they get their names.

use super::{record::RouterRecord, region::Site};
use crate::client::Operator;
use anyhow::Result;
use serde_json::json;

const ROOM: &str = "MMR-1";
const PANEL: &str = "PP-01";
/// A panel of one rack unit has so many.
const POSITIONS: usize = 48;

pub(super) async fn fill(
    operator: &Operator,
    sites: &[Site],
    routers: &[RouterRecord],
) -> Result<()> {
    for Site { code, .. } in sites {
        let room = format!("{code}/{ROOM}");
        operator.add("rooms", &json!({ "room": room })).await?;
        let ports = routers.iter().filter(|router| router.location == *code);
        let ports = ports.flat_map(|r| r.ports.iter().map(|port| format!("{}/{port}", r.name)));
        let ports: Vec<_> = ports.collect();
        let panel = format!("{room}/{PANEL}");
        let positions = POSITIONS.max(ports.len());
        operator.add("panels", &json!({ "panel": panel, "positions": positions })).await?;
        for (n, port) in ports.iter().enumerate() {
            let position = format!("{panel}/{}", n + 1);
            operator.add(&format!("ports/{port}/change"), &json!({ "position": position })).await?;
        }
    }
    Ok(())
}
