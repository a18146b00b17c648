//! The description of the API, made from its handlers; what the guard may answer to any of them is added here.

use std::sync::OnceLock;

use axum::Json;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Info, OpenApi, Ref, Required, Response, ResponseBuilder};

use super::router::documented;

pub(super) async fn openapi() -> Json<&'static OpenApi> {
    static DOCUMENT: OnceLock<OpenApi> = OnceLock::new();
    Json(DOCUMENT.get_or_init(document))
}

fn document() -> OpenApi {
    let (_, mut document) = documented().split_for_parts();
    document.info = Info::new("headcount", env!("CARGO_PKG_VERSION"));
    for (path, item) in &mut document.paths.paths {
        let guarded = path != "/livez" && path != "/readyz";
        for read in item.get.iter_mut().filter(|_| guarded) {
            refuse(read, &[("421", "This `Host` is not known"), ("401", "The token is missing or wrong")]);
            refuse(read, &[("403", "Mounted without a token and without `trust_outer_auth`")]);
            if read.parameters.is_some() {
                refuse(read, &[("400", "A parameter is malformed")]);
            }
        }
        item.post.iter_mut().for_each(describe_action);
    }
    document
}

fn describe_action(action: &mut Operation) {
    refuse(
        action,
        &[
            ("421", "This `Host` is not known"),
            ("401", "The token is missing or wrong"),
            ("405", "This server is read-only"),
            ("403", "Asked by a foreign page"),
            ("412", "Another process answers than the one that was seen, or `If-Match` is missing"),
            ("400", "A parameter or the body is malformed"),
            ("413", "The body is too large"),
        ],
    );
    action.parameters.get_or_insert_default().push(if_match().into());
}

fn refuse(operation: &mut Operation, refusals: &[(&str, &str)]) {
    for (status, about) in refusals {
        let responses = &mut operation.responses.responses;
        responses.entry((*status).to_owned()).or_insert_with(|| problem(about).into());
    }
}

fn problem(about: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(about).content("application/problem+json", content).build()
}

fn if_match() -> Parameter {
    ParameterBuilder::new()
        .name("If-Match")
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some("The `Headcount-Instance` of the answer that the action is about"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
        .build()
}
