fn main() {
    let text = String::new();
    headcount::spawn(async { drop(&text) });
}
