//! A chat that can be asked how it is doing: figures for Prometheus, spans for OpenTelemetry.

use metrics_exporter_prometheus::PrometheusHandle;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::{Registry, layer::SubscriberExt};
use wharf::{
    App, AppHandle, Context, Path, Response, Result, Route, Socket, State, WebSocketExt,
    extract::FromContext,
    http::{HeaderValue, StatusCode, header},
    hub::Hub,
    middleware::{RequestIdLayer, Trace, bearer},
    observer::Metrics,
    prelude::*,
    response,
};

async fn chat(Path(name): Path<String>, State(hub): State<Hub>, mut socket: Socket) -> Result<()> {
    let room = hub.room(name)?;
    let _seat = room.join(&socket).await?;
    while let Some(line) = socket.read_text().await? {
        tracing::info!("somebody said something");
        room.publish(line).await?;
    }
    Ok(())
}

async fn verify(token: String) -> Result<Option<Principal>> {
    Ok((token == "letmein").then(|| Principal::new("alice")))
}

/// The chat, with its figures at `/metrics`.
///
/// # Errors
///
/// None: the app is valid.
pub fn app(prometheus: PrometheusHandle) -> Result<App> {
    let hub = Hub::local();
    let metrics = Metrics::default();
    let figures = scrape(prometheus, metrics.clone(), hub.clone());
    App::builder()
        .state(hub)
        .observer(metrics.clone())
        .middleware(RequestIdLayer)
        .middleware(Trace)
        .middleware(metrics.handler_time())
        .middleware(bearer(verify))
        .route(Route::new("/rooms/{room}", chat))
        .route(figures)
        .build()
}

/// What Prometheus asks for. The figures of live sessions and of the hub are brought up to date
/// first.
fn scrape(prometheus: PrometheusHandle, metrics: Metrics, hub: Hub) -> Route {
    let answer = move |context: Context| {
        let (prometheus, metrics, hub) = (prometheus.clone(), metrics.clone(), hub.clone());
        async move {
            if let Ok(app) = AppHandle::from_context(&context).await {
                metrics.sample(&app);
            }
            hub.sample_metrics("wharf");
            prometheus.run_upkeep();
            text(prometheus.render())
        }
    };
    Route::new("/metrics", async |_: Socket| {}).fallback(answer)
}

fn text(figures: String) -> Response {
    let mut response = response::text(StatusCode::OK, figures);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Hands spans to OpenTelemetry.
pub fn subscriber(provider: &SdkTracerProvider) -> impl Subscriber + Send + Sync + use<> {
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("chat"));
    Registry::default().with(layer)
}
