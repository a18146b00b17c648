//! What must not compile, and that the message points where tokio's would: at the await.

#[test]
fn messages_point_at_the_users_code() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_fail/*.rs");
}
