use std::rc::Rc;

async fn wait() {}

fn main() {
    headcount::spawn(async {
        let shared = Rc::new(1);
        wait().await;
        drop(shared);
    });
}
