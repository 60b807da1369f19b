//! A router reads and reports of itself alone, whatever it says.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_router_hears_reports_and_answers_of_itself_alone() {
    let region = Region::new().await;
    let app = &region.running.app;
    let mut one = region.attach(&region.identities[0], "r1", &[]).await.unwrap();
    let mut other = region.attach(&region.identities[1], "r2", &[]).await.unwrap();
    one.port_plan().await;
    other.port_plan().await;
    let theirs = region.ordered().await;
    app.approve_order(ApproveOrder { connection: theirs, port: Some(port("r2")) }).await.unwrap();
    let (generation, _) = other.port_plan().await;

    // What the one says of a port p0 is of its own.
    let ack = Ack { scope: "port/p0".into(), generation };
    one.say.send(message(Message::Ack(ack))).await.unwrap();
    one.report(generation, true).await;
    let light = async |router: usize| app.routers().await.unwrap()[router].ports[0].light;
    let seen = async {
        while light(0).await != Some(true) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), seen).await.expect("folded in time");
    assert_eq!(light(1).await, None);
    region.until_state(theirs, ConnectionState::Pending).await;
    let scopes = app.routers().await.unwrap().remove(1).agent.scopes;
    assert_eq!(scopes[0].acknowledged_generation, None, "{scopes:?}");

    // Nor does it answer what the other was asked.
    let agents = &app.parts().agents;
    let asked = agents.ask(&"r2".parse().unwrap(), "ping", vec![7]).ok().unwrap();
    let heard = other.heard.message().await.unwrap().unwrap().message.unwrap();
    let to_router::Message::Question(question) = heard else { panic!("{heard:?}") };
    for (agent, document) in [(&one, vec![6]), (&other, vec![8])] {
        let answer = Answer { number: question.number, document, file: vec![] };
        agent.say.send(message(Message::Answer(answer))).await.unwrap();
        // Taken in order: once its report is in, its answer is.
        agent.report(generation, false).await;
        let router = usize::from(std::ptr::eq(agent, &other));
        let taken = async {
            while light(router).await != Some(false) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), taken).await.expect("taken in time");
    }
    assert_eq!(asked.await.unwrap().document, [8]);

    // And what it hears next is of its own again.
    let ours = region.ordered().await;
    app.approve_order(ApproveOrder { connection: ours, port: Some(port("r1")) }).await.unwrap();
    assert_eq!(one.port_plan().await.1.connection.unwrap().id, ours);
    region.running.stop().await;
}
