//! The document says what the app does.

#![cfg(feature = "asyncapi")]
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wharf_sdk::{
    App, Channel, Configure, DecodeErrors, Group, MessageMiddleware, Principal, RateLimit,
    RatePolicy, Result, Route, Socket, Subprotocols, Typed,
    asyncapi::Info,
    channel::{Data, Envelope, Event, EventErrors},
    http::Method,
    middleware::{bearer, subprotocol_token},
    testing::TestHost,
};

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Line {
    text: String,
    #[serde(default)]
    urgent: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Seen {
    line: Line,
    by: u32,
}

async fn quiet(_: Socket) {}

async fn verify(_: String) -> Result<Option<Principal>> {
    Ok(Some(Principal::new("alice")))
}

fn app() -> App {
    let v1 = Group::new("/v1")
        .tagged("talk")
        .middleware(bearer(verify))
        .middleware(subprotocol_token("bearer.", verify))
        .require_scopes(["chat"])
        .route(
            Route::new("/rooms/{room}/{*path}", quiet)
                .named("room")
                .summary("One <room>.")
                .documents::<Line, Seen>()
                .documents_query::<Line>()
                .subprotocols(Subprotocols::required(["chat.v1"]))
                .rate_limit(RateLimit::per_second(20).on_excess(RatePolicy::Close))
                .idle_timeout(Duration::from_secs(60))
                .max_message_bytes(4096),
        );
    App::builder()
        .group(v1)
        .route(Route::new("/", quiet).deprecated("2026-01-01", "2027-01-01", None))
        .route(Route::new("/secret", quiet).undocumented())
        .route(Route::asyncapi("/doc", Info::new("Talk", "2.0.0")))
        .build()
        .unwrap()
}

fn document() -> Value {
    app().asyncapi(&Info::new("Talk", "2.0.0").server("live", "wss://talk.example/ws"))
}

#[test]
fn a_route_becomes_a_channel_with_all_that_a_client_notices() {
    let document = document();
    let channel = &document["channels"]["room"];
    assert_eq!(channel["address"], "/v1/rooms/{room}/{path}");
    assert_eq!(channel["tags"], json!([{ "name": "talk" }]));
    assert!(channel["parameters"]["room"].is_object() && channel["parameters"]["path"].is_object());
    assert_eq!(
        channel["x-subprotocols"],
        json!({ "names": ["chat.v1"], "required": true })
    );
    assert_eq!(channel["x-limits"]["max_message_bytes"], 4096);
    assert_eq!(channel["x-limits"]["idle_timeout"], 60_000);
    let policy = channel["x-close-codes"]["1008"].as_str().unwrap();
    assert!(policy.contains("rate_limit"), "{policy}");
    let binding = &channel["bindings"]["ws"];
    assert_eq!(binding["query"]["$ref"], "#/components/schemas/Line");
    assert_eq!(document["servers"]["live"]["pathname"], "/ws");
}

#[test]
fn both_directions_have_schemas_of_their_own() {
    let document = document();
    let (received, sent) = (
        &document["operations"]["room.receive"],
        &document["operations"]["room.send"],
    );
    assert_eq!(
        (&received["action"], &sent["action"]),
        (&json!("receive"), &json!("send"))
    );
    assert_eq!(
        received["messages"][0]["$ref"],
        "#/channels/room/messages/Line"
    );
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["Line"]["required"], json!(["text"]));
    assert_eq!(schemas["LineOut"]["required"], json!(["text", "urgent"]));
    let line = &schemas["SeenOut"]["properties"]["line"];
    assert_eq!(line["$ref"], "#/components/schemas/LineOut");
}

#[test]
fn who_may_connect_is_said_by_the_authenticators() {
    let document = document();
    let operation = &document["operations"]["room.receive"];
    assert_eq!(operation["x-scopes"], json!(["chat"]));
    assert_eq!(operation["security"].as_array().unwrap().len(), 2);
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["bearer"]["scheme"], "bearer");
    assert!(
        schemes["subprotocol"]["description"]
            .as_str()
            .unwrap()
            .contains("bearer.")
    );
    assert!(
        document["operations"]["root.receive"]
            .get("security")
            .is_none()
    );
}

#[test]
fn a_channels_events_are_operations_with_replies() {
    let channel = Channel::new()
        .event(
            Event::new("say", async |Data(line): Data<Line>| {
                Result::<bool>::Ok(line.urgent)
            })
            .require_scopes(["speaker"]),
        )
        .emits("said");
    let route = Route::new("/talk", channel)
        .documents_event::<Line, bool>("say")
        .documents_event::<Line, ()>("said");
    let app = App::builder().route(route).build().unwrap();
    let document = app.asyncapi(&Info::new("Talk", "2.0.0"));
    let say = &document["operations"]["talk.say"];
    assert_eq!(
        (&say["action"], &say["x-scopes"]),
        (&json!("receive"), &json!(["speaker"]))
    );
    let messages = &document["channels"]["talk"]["messages"];
    let data = &messages["say"]["payload"]["properties"]["data"];
    assert_eq!(data["$ref"], "#/components/schemas/Line");
    assert_eq!(
        say["reply"]["messages"][0]["$ref"],
        "#/channels/talk/messages/say-reply"
    );
    assert_eq!(
        messages["say-reply"]["payload"]["properties"]["data"]["type"],
        "boolean"
    );
    assert_eq!(document["operations"]["talk.on-said"]["action"], "send");
}

#[test]
fn what_a_server_emits_has_its_type_and_the_channels_envelope() {
    let envelope = Envelope {
        event: "type",
        data: "payload",
        reply: "to",
        ..Envelope::default()
    };
    let channel = Channel::new()
        .envelope(envelope)
        .unknown(EventErrors::Close)
        .event(Event::documented("say", urgent))
        .emits_documented::<Seen>("said")
        .emits("something");
    let app = App::builder().middleware(bearer(verify));
    let app = app.route(Route::new("/talk", channel)).build().unwrap();
    let document = app.asyncapi(&Info::new("Talk", "2.0.0"));
    let talk = &document["channels"]["talk"];
    let said = &talk["messages"]["said"]["payload"];
    assert_eq!(said["required"], json!(["type", "payload"]));
    assert_eq!(said["properties"]["type"]["const"], "said");
    assert_eq!(
        said["properties"]["payload"]["$ref"],
        "#/components/schemas/SeenOut"
    );
    assert_eq!(document["operations"]["talk.on-said"]["action"], "send");
    let something = &talk["messages"]["something"]["payload"];
    assert_eq!(something["required"], json!(["type"]));
    let reply = &talk["messages"]["say-reply"]["payload"];
    assert_eq!(reply["required"], json!(["to"]));
    assert_eq!(reply["oneOf"][0]["required"], json!(["payload"]));
    let belongs = &talk["messages"]["say-reply"]["correlationId"]["location"];
    assert_eq!(belongs, "$message.payload#/to");
    assert_eq!(talk["x-close-codes"]["1008"], "an event is unknown");
}

#[test]
fn what_answers_a_message_that_does_not_decode_is_one_of_the_messages() {
    let route = Route::documented("/talk", talk).decode_errors(DecodeErrors::Answer);
    let app = App::builder().middleware(bearer(verify)).route(route);
    let document = app.build().unwrap().asyncapi(&Info::new("Talk", "2.0.0"));
    let sent = document["operations"]["talk.send"]["messages"].as_array();
    let sent: Vec<_> = sent
        .unwrap()
        .iter()
        .map(|message| &message["$ref"])
        .collect();
    assert_eq!(
        sent,
        [
            "#/channels/talk/messages/Seen",
            "#/channels/talk/messages/undecodable"
        ]
    );
}

#[test]
fn events_name_the_middleware_around_them() {
    struct Counted;
    impl MessageMiddleware for Counted {}
    struct Logged<T>(T);
    impl<T: Send + Sync + 'static> MessageMiddleware for Logged<T> {
        fn name(&self) -> &str {
            "log"
        }
    }
    struct Checked<T>(T);
    impl<T: Send + Sync + 'static> MessageMiddleware for Checked<T> {}
    let channel = Channel::new()
        .on("say", async || Result::<()>::Ok(()))
        .emits("said")
        .middleware(Checked(1));
    let route = Route::new("/talk", channel).message_middleware(Logged(1));
    let app = App::builder().message_middleware(Counted).route(route);
    let app = app.build().unwrap();
    let around = json!(["Counted", "log", "Checked"]);
    let document = app.asyncapi(&Info::new("Talk", "2.0.0"));
    let operations = &document["operations"];
    assert_eq!(operations["talk.say"]["x-middleware"], around);
    assert!(operations["talk.on-said"]["x-middleware"].is_null());
    let [route] = &*app.routes() else {
        panic!("one route");
    };
    assert_eq!(route.message_middleware, ["Counted", "log"]);
    let say = route
        .events
        .iter()
        .find(|event| event.name == "say")
        .unwrap();
    assert_eq!(json!(say.middleware), around);
}

async fn talk(_: Principal, mut socket: Typed<Line, Seen>) -> Result<()> {
    while let Some(line) = socket.read().await? {
        socket.write(&Seen { line, by: 1 }).await?;
    }
    Ok(())
}

async fn urgent(_: Principal, Data(line): Data<Line>) -> Result<bool> {
    Ok(line.urgent)
}

#[test]
fn schemas_come_from_the_handlers_own_types() {
    let channel = Channel::new().event(Event::documented("say", urgent));
    let app = App::builder()
        .middleware(bearer(verify))
        .route(Route::documented("/talk", talk))
        .route(Route::new("/events", channel))
        .build()
        .unwrap();
    let document = app.asyncapi(&Info::new("Talk", "2.0.0"));
    let messages = |id: &str| document["operations"][id]["messages"][0]["$ref"].clone();
    assert_eq!(messages("talk.receive"), "#/channels/talk/messages/Line");
    assert_eq!(messages("talk.send"), "#/channels/talk/messages/Seen");
    let events = &document["channels"]["events"]["messages"];
    let data = &events["say"]["payload"]["properties"]["data"];
    assert_eq!(data["$ref"], "#/components/schemas/Line");
    let reply = &events["say-reply"]["payload"]["properties"]["data"];
    assert_eq!(reply["type"], "boolean");
}

#[test]
fn what_will_go_says_so_and_what_is_undocumented_is_not_there() {
    let document = document();
    assert_eq!(
        document["channels"]["root"]["x-deprecated"]["sunset"],
        "2027-01-01"
    );
    let channels: Vec<_> = document["channels"].as_object().unwrap().keys().collect();
    assert_eq!(channels, ["room", "root"]);
}

#[tokio::test(start_paused = true)]
async fn browsers_get_a_page_in_which_nothing_runs() {
    let host = TestHost::new(app());
    let get = || host.http(Method::GET, "/doc");
    let plain = get().send().await;
    let served: Value = serde_json::from_slice(plain.body()).unwrap();
    assert_eq!(served["info"]["title"], "Talk");

    let page = get().header("accept", "text/html,*/*");
    let page = page.send().await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let html = std::str::from_utf8(page.body()).unwrap();
    assert!(
        html.contains("One &lt;room&gt;.") && !html.contains("<room>"),
        "{html}"
    );
}
