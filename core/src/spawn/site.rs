//! The macro for tasks whose name and labels the program knows before it runs.

/// A task whose name and labels are known when the program is compiled: [`task`](fn@crate::task) at the
/// lowest cost.
///
/// Everything that the builder has can follow. The group is found once in the life of the process, so that a
/// spawn neither looks for it nor compares a text. Labels are `key = "value"`, with the key an identifier or
/// a text. Where the name or a value is not a literal, this is the same as the builder: a value is then
/// whatever [`label`](crate::TaskBuilder::label) takes. The task's location is that of the macro.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use headcount::OnShutdown;
///
/// headcount::task!("send-email", provider = "ses").spawn(async { /* … */ }).await.unwrap();
///
/// let provider = String::from("ses");
/// headcount::task!("send-email", provider = provider)
///     .field("order_id", 42)
///     .on_shutdown(OnShutdown::Last)
///     .spawn(async { /* … */ })
///     .await
///     .unwrap();
/// # }
/// ```
#[macro_export]
macro_rules! task {
    ($name:literal $(, $key:tt = $value:literal)* $(,)?) => {{
        static SITE: $crate::Site = $crate::Site::new($name, &[$(($crate::__label_key!($key), $value)),*]);
        $crate::TaskBuilder::at(&SITE)
    }};
    ($name:expr $(, $key:tt = $value:expr)* $(,)?) => {
        $crate::task($name)$(.label($crate::__label_key!($key), $value))*
    };
}

/// The key of a label, as [`task!`] takes it.
#[doc(hidden)]
#[macro_export]
macro_rules! __label_key {
    ($key:ident) => {
        ::core::stringify!($key)
    };
    ($key:literal) => {
        $key
    };
}
