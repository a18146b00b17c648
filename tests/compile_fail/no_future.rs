fn main() {
    headcount::spawn(42);
}
