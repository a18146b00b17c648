//! `redact` sees every field, status and message before it is stored. One process, since it is installed.

use std::sync::atomic::{AtomicBool, Ordering};

use headcount::snapshot::{FinishedQuery, TaskLookup};
use headcount::{Headcount, TextSource};

static PANICS: AtomicBool = AtomicBool::new(false);

fn redact(source: TextSource<'_>, text: &str) -> Option<String> {
    assert!(!PANICS.load(Ordering::Relaxed), "cannot redact");
    if text == "spawn" {
        drop(headcount::task("from-redact").track(async {}));
    }
    let source = match source {
        TextSource::Field(key) => key,
        TextSource::Status => return text.contains("secret").then(|| text.replace("secret", "***")),
        _ => "message",
    };
    Some(format!("{source}({})", text.replace("secret", "***")))
}

#[tokio::test]
async fn everything_stored_was_redacted() {
    own_process!();
    let builder = Headcount::builder().redact(redact).service("redact").admin(None).signals(false);
    let hc = builder.install().unwrap();
    let handle = headcount::task("redacted").field("card", "secret 1").spawn_fallible(async {
        let task = headcount::current().unwrap();
        task.set_status("reading secret 2");
        task.set_field("user", "secret 3");
        task.set_field("spawns", "spawn");
        Err::<(), _>(format!("{} secret", "x".repeat(5000)))
    });
    handle.await.unwrap().unwrap_err();
    let task = last("redacted");
    let fields: Vec<_> = task.task.fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(fields, ["card=card(*** 1)", "user=user(*** 3)", "spawns=spawns(spawn)"]);
    assert_eq!(task.task.status.as_deref(), Some("reading *** 2"));
    // Redacted first and cut then, so that no half of a secret is left.
    let message = task.message.unwrap();
    assert!(message.starts_with("message(xxx") && message.len() <= 4096);
    let place = format!("{}:{}", file!(), line!() + 1);
    let panics = headcount::task("redacted-panic").spawn(async { panic!("secret") });
    panics.await.unwrap_err();
    assert_eq!(last("redacted-panic").message.as_deref(), Some(&*format!("message(***, at {place})")));

    // A function that panics must not let its text through, nor reach the task.
    PANICS.store(true, Ordering::Relaxed);
    let handle = headcount::task("unredacted").field("card", "secret").spawn(async {
        headcount::current().unwrap().set_status("secret");
        headcount::current().unwrap().id()
    });
    let details = headcount::snapshot::task(handle.await.unwrap()).unwrap();
    assert!(!format!("{details:?}").contains("secret"), "{details:?}");
    let TaskLookup::Finished(task) = details.task else { panic!("it has ended") };
    assert_eq!(task.task.fields.len(), 1);
    PANICS.store(false, Ordering::Relaxed);
    drop(hc);
}

fn last(name: &str) -> headcount::snapshot::FinishedTask {
    let query = FinishedQuery::default().name(name);
    headcount::snapshot::finished(&query).unwrap().items.remove(0)
}
