//! Authorities as the store keeps them, and how one takes the place of another.

use super::*;
use crate::{
    app::{
        AuthorityRefusal,
        authorities::{load, row_of},
    },
    ca::SigningRequest,
    store::authorities,
};
use directlink_model::{authority::AuthorityFault, ids::RouterName};
use rcgen::{CertificateParams, KeyPair};
use std::fs;

fn request() -> SigningRequest {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::default().serialize_request(&key).unwrap();
    SigningRequest::read(request.der()).unwrap()
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, AuthorityRefusal>) -> AuthorityFault {
    match outcome {
        Err(AuthorityRefusal::Fault(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

/// Its one authority is in the store from now on, as a server's is.
pub(crate) async fn keep_signer(app: &App) -> String {
    let signer = Arc::clone(&app.parts().authorities.now().signer);
    let row = row_of(&signer, app.machine_now(), Some(Timestamp::UNIX_EPOCH));
    let mut tx = app.parts().store.begin().await.unwrap();
    authorities::insert(&mut tx, &row).await.unwrap();
    tx.commit().await.unwrap();
    signer.id.clone()
}

async fn bench() -> (Bench, String) {
    let bench = Bench::new().await;
    let signer = keep_signer(&bench.app).await;
    (bench, signer)
}

#[tokio::test]
async fn servers_on_one_store_have_one_authority_and_take_over_an_earlier_versions() {
    let (dir, now) = (tempfile::tempdir().unwrap(), Timestamp::UNIX_EPOCH);
    let store = store::testing::open(dir.path()).await;
    let nowhere = dir.path().join("ca");
    let first = load(&store, &nowhere, None, now).await.unwrap();
    let second = load(&store, &nowhere, None, now).await.unwrap();
    assert_eq!(first.now().signer.id, second.now().signer.id);
    let (other, left) = (tempfile::tempdir().unwrap(), Authority::make(now).unwrap());
    let ca = other.path().join("ca");
    fs::create_dir(&ca).unwrap();
    fs::write(ca.join("ca.pem"), left.pem()).unwrap();
    fs::write(ca.join("ca.key"), left.key_pem().unwrap().expose_secret()).unwrap();
    let store = store::testing::open(other.path()).await;
    let taken = load(&store, &ca, None, now).await.unwrap();
    assert_eq!(taken.now().signer.id, left.id);
    // The operator's own does not take its place by being there.
    let own = Authority::make(now).unwrap();
    let id = own.id.clone();
    let later = now + SignedDuration::from_secs(1);
    let both = load(&store, &ca, Some(own), later).await.unwrap();
    assert_eq!((both.now().ids(), &both.now().signer.id), (vec![left.id.as_str(), &id], &left.id));
    assert!(both.has_key(&id) && !load(&store, &ca, None, now).await.unwrap().has_key(&id));
}

#[tokio::test]
async fn an_authority_takes_anothers_place_when_no_router_is_left_behind() {
    let (bench, old) = bench().await;
    let app = &bench.app;
    let routers: [RouterName; 2] = ["par1-r1", "par4-r1"].map(|name| name.parse().unwrap());
    let new = app.add_authority().await.unwrap();
    assert_eq!(app.parts().authorities.now().signer.id, old, "it signs nothing yet");
    assert_eq!(app.parts().authorities.now().ids().len(), 2);
    let behind = refused(app.use_authority(&new, false).await);
    assert_eq!(behind, AuthorityFault::NotTrusted(routers.to_vec()));
    for router in &routers {
        app.router_trusts(router, &[old.clone(), new.clone()]).await.unwrap();
    }
    app.use_authority(&new, false).await.unwrap();
    assert_eq!(app.parts().authorities.now().signer.id, new);
    let with_it = refused(app.retire_authority(&old, false).await);
    assert_eq!(with_it, AuthorityFault::InUse(routers.to_vec()));
    for router in &routers {
        let token = app.enrol_router(router, SignedDuration::from_hours(1)).await.unwrap().token;
        assert_eq!(token.authority, new);
        app.certify_by_token(router, token.expose_secret(), &request()).await.unwrap();
    }
    let views = app.authorities().await.unwrap();
    let counts: Vec<_> = views.iter().map(|view| (&view.id, view.signs, view.routers)).collect();
    assert_eq!(counts, [(&old, false, [2, 2, 0]), (&new, true, [2, 2, 2])]);
    assert_eq!(refused(app.retire_authority(&new, true).await), AuthorityFault::Signs(new.clone()));
    app.retire_authority(&old, false).await.unwrap();
    assert_eq!(app.parts().authorities.now().ids(), [&new]);
    assert_eq!(refused(app.use_authority(&old, true).await), AuthorityFault::NoSuch(old));
}

#[tokio::test]
async fn an_operator_may_force_what_leaves_routers_behind() {
    let (bench, old) = bench().await;
    let new = bench.app.add_authority().await.unwrap();
    bench.app.use_authority(&new, true).await.unwrap();
    bench.app.retire_authority(&old, true).await.unwrap();
    assert_eq!(bench.app.parts().authorities.now().ids(), [&new]);
}
