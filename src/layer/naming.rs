//! How requests are named: after the route that axum matched, the method of a gRPC service, or as the
//! application says.

use std::borrow::Cow;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Response};
use parking_lot::Mutex;
use tracing::warn;

/// The name of requests that no route matched.
const UNMATCHED: &str = "unmatched";

/// gRPC methods that no service has answered yet and that have names all the same: a client can ask for any.
const MAX_UNPROVEN: usize = 20;
/// gRPC methods that a service has answered.
const MAX_PROVEN: usize = 500;

/// The status of a method that no service has.
const UNIMPLEMENTED: &str = "12";

pub(super) type Name = Arc<dyn Fn(&Parts) -> Cow<'static, str> + Send + Sync>;

/// What a layer knows of the names of its requests.
#[derive(Default)]
pub(super) struct Naming {
    has_matched: AtomicBool,
    has_warned: AtomicBool,
    methods: Mutex<Methods>,
}

#[derive(Default)]
struct Methods {
    proven: HashSet<String>,
    unproven: HashSet<String>,
}

/// What the answer to a request says about its name.
pub(super) enum Lesson {
    Nothing,
    /// That the service has this method.
    Method(Arc<Naming>, String),
    /// That this is no request for something that does not exist.
    Unmatched(Arc<Naming>),
}

impl Naming {
    pub(super) fn name(self: &Arc<Self>, given: Option<&Name>, parts: &Parts) -> (Cow<'static, str>, Lesson) {
        if let Some(name) = given {
            return (name(parts), Lesson::Nothing);
        }
        // First, since tonic has one route for all methods of a service.
        if let Some(method) = grpc_method(parts) {
            return self.name_of_method(method);
        }
        if let Some(route) = matched_route(parts) {
            self.has_matched.store(true, Ordering::Relaxed);
            return (route, Lesson::Nothing);
        }
        (Cow::Borrowed(UNMATCHED), Lesson::Unmatched(Arc::clone(self)))
    }

    fn name_of_method(self: &Arc<Self>, method: &str) -> (Cow<'static, str>, Lesson) {
        let mut methods = self.methods.lock();
        if methods.proven.contains(method) {
            return (method.to_owned().into(), Lesson::Nothing);
        }
        let has_room = methods.unproven.len() < MAX_UNPROVEN || methods.unproven.contains(method);
        let lesson = Lesson::Method(Arc::clone(self), method.to_owned());
        if !has_room {
            return (Cow::Borrowed(UNMATCHED), lesson);
        }
        methods.unproven.insert(method.to_owned());
        (method.to_owned().into(), lesson)
    }

    fn warn_once(&self) {
        if self.has_matched.load(Ordering::Relaxed) || self.has_warned.swap(true, Ordering::Relaxed) {
            return;
        }
        // A subscriber that panics must not take the request with it.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            warn!(
                target: "headcount",
                "TrackLayer finds no route of axum 0.8 and names requests `{UNMATCHED}`. With another version or \
                another framework, name them by TrackLayer::new().name_with(…)"
            );
        }));
    }
}

impl Lesson {
    pub(super) fn learn<R>(self, answer: &Response<R>) {
        if !answer.status().is_success() {
            return;
        }
        match self {
            Self::Nothing => {}
            Self::Method(naming, method) => {
                if is_grpc(answer.headers()) && grpc_status(answer.headers()) != Some(UNIMPLEMENTED) {
                    let mut methods = naming.methods.lock();
                    if methods.proven.len() < MAX_PROVEN {
                        methods.unproven.remove(&method);
                        methods.proven.insert(method);
                    }
                }
            }
            Self::Unmatched(naming) => naming.warn_once(),
        }
    }
}

#[cfg(feature = "admin")]
fn matched_route(parts: &Parts) -> Option<Cow<'static, str>> {
    let route = parts.extensions.get::<axum::extract::MatchedPath>()?;
    Some(route.as_str().to_owned().into())
}

/// Without axum there is no matched route.
#[cfg(not(feature = "admin"))]
fn matched_route(_: &Parts) -> Option<Cow<'static, str>> {
    None
}

/// `package.Service/Method` of a gRPC request.
fn grpc_method(parts: &Parts) -> Option<&str> {
    let method = parts.uri.path().strip_prefix('/')?;
    let (service, name) = method.split_once('/')?;
    let is_word = |text: &str| {
        !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "._".contains(letter))
    };
    (is_grpc(&parts.headers) && is_word(service) && is_word(name)).then_some(method)
}

pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

fn grpc_status(headers: &HeaderMap) -> Option<&str> {
    headers.get("grpc-status")?.to_str().ok()
}

/// The status of a gRPC answer that is the server's fault, as 5xx is: unknown, deadline exceeded,
/// unimplemented, internal, unavailable, data loss.
pub(super) fn grpc_failure(headers: &HeaderMap) -> Option<String> {
    let status = grpc_status(headers)?;
    let is_failure = ["2", "4", "12", "13", "14", "15"].contains(&status);
    let message = headers.get("grpc-message").and_then(|message| message.to_str().ok()).unwrap_or_default();
    is_failure.then(|| format!("grpc-status {status} {message}").trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn request(path: &str) -> Parts {
        let request = Request::builder().uri(path).header("content-type", "application/grpc+proto");
        request.body(()).expect("a request").into_parts().0
    }

    fn answer(status: &str) -> Response<()> {
        let answer = Response::builder().header("content-type", "application/grpc");
        answer.header("grpc-status", status).body(()).expect("a response")
    }

    #[test]
    fn methods_that_a_service_has_are_never_crowded_out() {
        let naming = Arc::new(Naming::default());
        for number in 0..MAX_UNPROVEN {
            let (name, lesson) = naming.name(None, &request(&format!("/a.B/C{number}")));
            assert_eq!(name, format!("a.B/C{number}"));
            lesson.learn(&answer(UNIMPLEMENTED));
        }
        let (name, lesson) = naming.name(None, &request("/real.Service/Method"));
        assert_eq!(name, UNMATCHED, "there is no room for a first request");
        lesson.learn(&Response::new(()));
        let (name, lesson) = naming.name(None, &request("/real.Service/Method"));
        assert_eq!(name, UNMATCHED, "an answer that is not gRPC's proves nothing");
        lesson.learn(&answer("0"));
        let (name, _) = naming.name(None, &request("/real.Service/Method"));
        assert_eq!(name, "real.Service/Method");
    }

    #[test]
    fn only_methods_of_grpc_are_names() {
        for path in ["/", "/users/7", "/a/b/c", "/a.B/", "/a.B/C%20"] {
            let mut parts = request(path);
            let is_named = path == "/users/7";
            assert_eq!(grpc_method(&parts).is_some(), is_named, "{path}");
            parts.headers.clear();
            assert_eq!(grpc_method(&parts), None, "{path}");
        }
    }
}
