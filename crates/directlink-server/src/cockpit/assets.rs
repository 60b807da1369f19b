//! What pages load: a style sheet, three scripts of others (pinned, with their licences beside them)
//! and one of ours, an icon. In the binary; an address holds the hash of all, so that a browser keeps each for good and
//! still asks anew after an upgrade.

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const ASSETS: [Asset; 7] = [
    Asset {
        name: "cockpit.css",
        kind: "text/css; charset=utf-8",
        bytes: include_bytes!("assets/cockpit.css"),
    },
    Asset {
        name: "htmx.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/htmx-4.0.1.min.js"),
    },
    Asset {
        name: "hx-sse.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/hx-sse-4.0.1.min.js"),
    },
    Asset {
        name: "uplot.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/uplot-1.6.32.min.js"),
    },
    Asset {
        name: "uplot.css",
        kind: "text/css; charset=utf-8",
        bytes: include_bytes!("assets/uplot-1.6.32.min.css"),
    },
    Asset {
        name: "graphs.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/graphs.js"),
    },
    Asset { name: "icon.svg", kind: "image/svg+xml", bytes: include_bytes!("assets/icon.svg") },
];

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    ASSETS.iter().for_each(|asset| hash.update(asset.bytes));
    hex::encode(&hash.finalize()[..6])
});

/// Part of every asset's address.
pub(super) fn version() -> &'static str {
    &VERSION
}

pub(super) async fn serve(Path((version, name)): Path<(String, String)>) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name && version == *VERSION) {
        Some(asset) => {
            let keep = "public, max-age=31536000, immutable";
            let headers = [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, keep)];
            (headers, asset.bytes).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
