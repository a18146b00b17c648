//! Three actors that count, each sent 100 messages.

mod common;

use ractor::{Actor, ActorProcessingErr, ActorRef};

struct Counter;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Counter {
    type Msg = u64;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<u64>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(&self, _: ActorRef<u64>, message: u64, state: &mut u64) -> Result<(), ActorProcessingErr> {
        *state += message;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<headcount::Report, Box<dyn std::error::Error>> {
    let headcount = headcount::Headcount::install()?;
    let mut actors = Vec::new();
    for _ in 0..3 {
        let (actor, _) = Actor::spawn(None, Counter, ()).await?;
        (0..100).try_for_each(|number| actor.send_message(number))?;
        actors.push(actor);
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    Ok(common::until_stopped(&headcount).await)
}
