use std::rc::Rc;

fn main() {
    let shared = Rc::new(1);
    headcount::spawn_blocking(move || drop(shared));
}
