//! What is hidden is not found either.

use std::future::pending;

use headcount::Headcount;
use headcount::settings::Hide;
use headcount::snapshot::{FinishedQuery, TaskQuery};

fn found(text: &str) -> (usize, usize) {
    let live = headcount::snapshot::tasks(&TaskQuery::default().search(text));
    let finished = headcount::snapshot::finished(&FinishedQuery::default().search(text));
    (live.map_or(0, |page| page.total), finished.map_or(0, |page| page.total))
}

#[tokio::test]
async fn a_search_does_not_give_away_what_is_hidden() {
    own_process!();
    let live = headcount::task("keeps").field("card", "4242-live").spawn(pending::<()>());
    let ended = headcount::task("fails").field("card", "4242-ended");
    let ended = ended.spawn_fallible(async { Err::<(), _>("card 4242 was refused") });
    assert!(ended.await.is_ok_and(|result| result.is_err()));
    assert_eq!(found("4242"), (1, 1));

    let builder = Headcount::builder().hide([Hide::Fields, Hide::Messages]);
    #[cfg(feature = "admin")]
    let builder = builder.admin(None);
    let headcount = builder.install();
    assert!(headcount.is_ok());
    assert_eq!(found("4242"), (0, 0));
    assert_eq!((found("keeps"), found("fails")), ((1, 0), (0, 1)));
    live.abort();
}
