//! Which requests are allowed. The checks, in this order: `Host`, token, read-only, origin, instance.
//!
//! An unknown name in `Host` means that a foreign page made its own name point here (DNS rebinding). That
//! attack needs a name, so addresses pass. An action needs more: the browser's statement that our own page
//! sends the request, and the instance that the page has seen, since another process may answer by now.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::uri::Authority;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;
use tracing::warn;

use super::context::{Context, Mount};
use super::problem::Problem;
use super::stacks;
use crate::name::{MAX_NAME, cut};
use crate::observer::Lines;
use crate::settings::{Action, Settings, Value as _};
use crate::shutdown;

/// The name of the header that says which process answered.
const INSTANCE: &str = "headcount-instance";

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// The peer of a connection of the own server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// What a request is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// For load balancers, which know neither name nor token.
    Health,
    /// The page itself; what it shows needs the token.
    Page,
    Metrics,
    Api,
}

/// Passes a request on if it may pass, and marks every answer.
pub(super) async fn guard(State(context): State<Context>, request: Request, next: Next) -> Response {
    let response = match check(&context, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    marked(&context, response)
}

fn check(context: &Context, request: &Request) -> Result<(), Problem> {
    let settings = context.settings();
    let target = target(request.uri().path());
    if target == Target::Health {
        return Ok(());
    }
    check_host(settings, request)?;
    check_token(context, target, request.headers())?;
    // The router answers what is no action: it has no handler for it.
    let Some(deed) = deed(request.method(), request.uri().path()) else { return Ok(()) };
    check_permission(settings, deed)?;
    check_origin(settings, request.headers())?;
    check_instance(&context.admin.process.identity.instance, request.headers())?;
    log_action(&context.admin.lines, request);
    Ok(())
}

/// Whether this is a route for load balancers.
pub(super) fn is_health(path: &str) -> bool {
    path == "/livez" || path == "/readyz"
}

fn target(path: &str) -> Target {
    match path {
        path if is_health(path) => Target::Health,
        "/metrics" => Target::Metrics,
        _ if path.starts_with("/api/") => Target::Api,
        _ => Target::Page,
    }
}

/// What makes the application do something, and is permitted by a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// By `allow_actions`.
    Action(Action),
    /// By `stacks`.
    Stacks,
}

/// The deed that a request is, if it is one.
pub(super) fn deed(method: &Method, path: &str) -> Option<Deed> {
    let path = path.strip_prefix("/api/v1/").filter(|_| method == Method::POST)?;
    match path.split('/').collect::<Vec<_>>()[..] {
        ["tasks", _, "cancel"] => Some(Deed::Action(Action::Cancel)),
        ["services", _, "run"] => Some(Deed::Action(Action::Run)),
        ["shutdown"] | ["shutdown", _] => Some(Deed::Action(Action::Shutdown)),
        ["stacks"] | ["tasks", _, "stack"] => Some(Deed::Stacks),
        _ => None,
    }
}

fn check_host(settings: &Settings, request: &Request) -> Result<(), Problem> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let header = hosts.next().map(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let uri = request.uri().authority().cloned().map(Some);
    let mut named = header.into_iter().chain(uri).peekable();
    let known = named.peek().is_some() && hosts.next().is_none();
    if known && named.all(|host| host.is_some_and(|host| may_be_called(settings, host.host()))) {
        return Ok(());
    }
    let host = request.headers().get(header::HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
    let detail = match host {
        Some(host) => format!("the Host {:?} is not known here: {}", cut(host, MAX_NAME), allow_it()),
        None => format!("the Host is missing: {}", allow_it()),
    };
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail))
}

/// How a name becomes known.
fn allow_it() -> &'static str {
    "use an IP address or localhost, or add the name to `allowed_hosts` (HEADCOUNT_ALLOWED_HOSTS)"
}

/// Whether the server may be called so: an address, `localhost`, or a name that was allowed.
fn may_be_called(settings: &Settings, host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is = |name: &str| name.eq_ignore_ascii_case(host.trim_end_matches('.'));
    address.parse::<IpAddr>().is_ok() || is("localhost") || settings.allowed_hosts.iter().any(|name| is(name))
}

fn check_token(context: &Context, target: Target, headers: &HeaderMap) -> Result<(), Problem> {
    let settings = context.settings();
    let Some(token) = &settings.token else {
        if context.mount == Mount::Application && !settings.trust_outer_auth {
            let detail = "set `token`, or `trust_outer_auth` if the application checks access to it";
            return Err(Problem::new(StatusCode::FORBIDDEN, detail));
        }
        return Ok(());
    };
    let open = target == Target::Page || target == Target::Metrics && settings.public_metrics;
    if open || shown_token(headers).is_some_and(|shown| shown.ct_eq(token.0.as_bytes()).into()) {
        return Ok(());
    }
    let detail = "show the token as `Authorization: Bearer …` or `X-Headcount-Token: …`";
    Err(Problem::new(StatusCode::UNAUTHORIZED, detail).with_header(header::WWW_AUTHENTICATE, "Bearer"))
}

fn shown_token(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(token) = headers.get("x-headcount-token") {
        return Some(token.as_bytes());
    }
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

fn check_permission(settings: &Settings, deed: Deed) -> Result<(), Problem> {
    let detail = match deed {
        Deed::Action(action) if settings.allow_actions.contains(action) => return Ok(()),
        Deed::Action(action) => {
            let name = action.show().to_lowercase();
            format!("{name} is not permitted: add it to `allow_actions` (HEADCOUNT_ALLOW_ACTIONS={name})")
        }
        Deed::Stacks if stacks::are_permitted() => return Ok(()),
        Deed::Stacks => stacks::NOT_PERMITTED.to_owned(),
    };
    Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).with_header(header::ALLOW, "GET, HEAD"))
}

fn check_origin(settings: &Settings, headers: &HeaderMap) -> Result<(), Problem> {
    let passes = match (headers.get("sec-fetch-site"), headers.get(header::ORIGIN)) {
        (Some(site), _) => [&b"same-origin"[..], b"none"].contains(&site.as_bytes()),
        (None, Some(origin)) => origin_host(origin).is_some_and(|host| may_be_called(settings, host.host())),
        (None, None) => true,
    };
    if passes {
        return Ok(());
    }
    let detail = match headers.get("sec-fetch-site") {
        Some(_) => "actions are taken from this server's own page only, or without a browser".to_owned(),
        None => format!(
            "actions are taken from this server's own page only, or without a browser, and the Origin is unknown: {}",
            allow_it()
        ),
    };
    Err(Problem::new(StatusCode::FORBIDDEN, detail))
}

fn origin_host(origin: &HeaderValue) -> Option<Authority> {
    let (_, authority) = origin.to_str().ok()?.split_once("://")?;
    authority.parse().ok()
}

fn check_instance(instance: &str, headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get_all(header::IF_MATCH).iter().filter_map(|given| given.to_str().ok());
    if given.flat_map(|given| given.split(',')).any(|tag| is_instance(tag.trim(), instance)) {
        return Ok(());
    }
    let detail = "give back the `Headcount-Instance` of the answer that the action is about in `If-Match`: \
        another process answers now, or it was missing";
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail))
}

/// Whether a tag of `If-Match` names this process, by the strong comparison of RFC 9110. A weak tag names
/// none, and so does `*`: the client must know which process it acts on.
fn is_instance(tag: &str, instance: &str) -> bool {
    let quoted = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    quoted.unwrap_or(tag) == instance
}

fn log_action(lines: &Lines, request: &Request) {
    let peer =
        request.extensions().get::<Peer>().map_or_else(|| "unknown".to_owned(), |peer| peer.0.to_string());
    let user = ["x-forwarded-user", "x-auth-request-user", "remote-user"]
        .iter()
        .find_map(|name| request.headers().get(*name)?.to_str().ok())
        .unwrap_or("")
        .to_owned();
    let action = request.uri().path().to_owned();
    lines.write(move || warn!(target: "headcount::admin", peer, user, "Action requested: {action:?}"));
}

fn marked(context: &Context, mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.entry(name).or_insert(value);
        }
    };
    set("content-security-policy", CONTENT_SECURITY_POLICY);
    set("x-content-type-options", "nosniff");
    set("x-frame-options", "DENY");
    set("referrer-policy", "no-referrer");
    set("cross-origin-resource-policy", "same-origin");
    set("cache-control", "no-store");
    set(INSTANCE, &context.admin.process.identity.instance);
    if shutdown::is_stopping() {
        // Kept-alive connections would otherwise hold up a server that waits for its connections to close.
        set("connection", "close");
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::routes::ROUTES;

    #[test]
    fn every_route_that_posts_is_an_action() {
        for (method, path) in ROUTES {
            let posts = *method == "post";
            let method = if posts { Method::POST } else { Method::GET };
            assert_eq!(deed(&method, path).is_some(), posts, "{path}");
        }
        assert_eq!(deed(&Method::DELETE, "/api/v1/shutdown"), None);
        assert_eq!(deed(&Method::POST, "/api/v1/summary"), None);
    }

    #[test]
    fn if_match_is_compared_as_http_says() {
        for tag in ["\"5f2c\"", "5f2c", "\"0000\", \"5f2c\"", "*,5f2c"] {
            assert!(tag.split(',').any(|tag| is_instance(tag.trim(), "5f2c")), "{tag}");
        }
        for tag in ["W/\"5f2c\"", "\"5f2\"", "", "\"", "*", "\"*\""] {
            assert!(!is_instance(tag, "5f2c"), "{tag}");
        }
    }
}
