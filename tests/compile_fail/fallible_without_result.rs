fn main() {
    headcount::task("fallible").spawn_fallible(async { 42 });
}
