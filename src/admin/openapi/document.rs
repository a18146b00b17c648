//! Writes the description of the API from its handlers. What the guard may answer to any of them is added
//! here.

use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{ContentBuilder, Info, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder};

use crate::admin::routes::{Documented, ROUTES};

#[test]
fn the_description_of_the_api_is_fresh() {
    let text = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    crate::fresh::assert_fresh("docs/openapi.json", &text);
}

#[test]
fn what_is_described_is_what_is_routed() {
    let document = document();
    let described = document.paths.paths.iter().flat_map(|(path, item)| {
        let methods = [("get", &item.get), ("post", &item.post)];
        methods
            .into_iter()
            .filter_map(move |(method, operation)| operation.as_ref().map(|_| (method, &**path)))
    });
    let mut described: Vec<_> = described.collect();
    let mut routed = ROUTES.to_vec();
    described.sort_unstable();
    routed.sort_unstable();
    assert_eq!(described, routed);
}

fn document() -> OpenApi {
    let mut document = Documented::openapi();
    document.info = Info::new("headcount", env!("CARGO_PKG_VERSION"));
    document.components.iter_mut().flat_map(|all| all.schemas.values_mut()).for_each(require_all);
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

/// Every key is always present, null where empty.
fn require_all(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => object.required = object.properties.keys().cloned().collect(),
        RefOr::T(Schema::AllOf(parts)) => parts.items.iter_mut().for_each(require_all),
        _ => {}
    }
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
    action.parameters.get_or_insert_default().push(if_match());
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
