use std::rc::Rc;

async fn wait() {}

fn main() {
    headcount::task("named").spawn(async {
        let shared = Rc::new(1);
        wait().await;
        drop(shared);
    });
}
