//! A live page: the server renders it and pushes what changes, as HTML, to every browser that shows
//! it. Open <http://127.0.0.1:3000/> in two windows.

use std::{
    fmt::{self, Display, Write},
    sync::Arc,
};

use serde::Deserialize;
use tokio::sync::Mutex;
use wharf::{
    App, Context, Error, ErrorKind, Response, Result, Route, State,
    channel::{ChannelPeer, Data, Envelope, Event, EventRate},
    hub::{Hub, Room, Seat},
    prelude::*,
    response,
};

/// What a list holds at the most, and a line of it in bytes.
const MAX_LINES: usize = 100;
const MAX_LINE_BYTES: usize = 200;

/// A shopping list, and the room of those who look at it.
#[derive(Clone)]
struct Board {
    lines: Arc<Mutex<Vec<Line>>>,
    room: Room,
}

struct Line {
    text: String,
    is_done: bool,
}

#[derive(Deserialize)]
struct Add {
    text: String,
}

#[derive(Deserialize)]
struct Tick {
    line: usize,
}

impl Board {
    /// Changes the list, and shows it to everybody. Under one lock: who looks sees every change in
    /// its order.
    async fn change(&self, change: impl FnOnce(&mut Vec<Line>) -> Result<()> + Send) -> Result<()> {
        let mut lines = self.lines.lock().await;
        change(&mut lines)?;
        let news = Envelope::default().message("render", &render(&lines))?;
        self.room.publish(news).await?;
        Ok(())
    }
}

/// Takes a seat, behind the list as it is now.
async fn look(peer: ChannelPeer, State(board): State<Board>) -> Result<Seat> {
    let lines = board.lines.lock().await;
    peer.emit("render", &render(&lines)).await?;
    board.room.join(&peer).await
}

async fn add(Data(Add { text }): Data<Add>, State(board): State<Board>) -> Result<()> {
    let text = text.trim().to_owned();
    if text.is_empty() || text.len() > MAX_LINE_BYTES {
        return Err(refusal(format!("write 1 to {MAX_LINE_BYTES} bytes")));
    }
    board
        .change(|lines| {
            if lines.len() == MAX_LINES {
                return Err(refusal("the list is full"));
            }
            lines.push(Line {
                text,
                is_done: false,
            });
            Ok(())
        })
        .await
}

async fn tick(Data(Tick { line }): Data<Tick>, State(board): State<Board>) -> Result<()> {
    board
        .change(|lines| {
            let line = lines.get_mut(line).ok_or_else(|| refusal("no such line"))?;
            line.is_done = !line.is_done;
            Ok(())
        })
        .await
}

fn refusal(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidInput, "REFUSED", message)
}

/// The fragment that changes. The page puts it where the element of the same id was.
fn render(lines: &[Line]) -> String {
    let mut html = String::from("<ul id=\"list\">");
    for (at, line) in lines.iter().enumerate() {
        let class = if line.is_done { "done" } else { "open" };
        let text = Escaped(&line.text);
        let _ = write!(html, "<li class=\"{class}\" data-line=\"{at}\">{text}</li>");
    }
    html.push_str("</ul>");
    html
}

/// Text as HTML shows it, between tags or in quotes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            char => f.write_char(char),
        })
    }
}

/// The whole page, with the list in it: there is something to see before the socket is open.
async fn page(context: Context) -> Response {
    let list = match context.state::<Board>() {
        Some(board) => render(&board.lines.lock().await),
        None => String::new(),
    };
    response::html(include_str!("../live/page.html").replace("<!--list-->", &list))
}

/// The app, as the tests use it too.
fn app() -> Result<App> {
    let board = Board {
        lines: Arc::default(),
        room: Hub::local().room("list")?,
    };
    let often = || EventRate::per_second(10);
    let list = Channel::new()
        .on_open(look)
        .event(Event::new("add", add).rate(often()))
        .event(Event::new("tick", tick).rate(often()))
        .emits("render");
    App::builder()
        .state(board)
        .max_message_bytes(4 * 1024)
        .route(Route::new("/", list).fallback(page))
        .build()
}

#[tokio::main]
async fn main() -> Result<()> {
    wharf_examples::serve(app()?).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wharf::testing::TestHost;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn everybody_sees_what_one_changes() -> Result<()> {
        let host = TestHost::new(app()?);
        let mut alice = host.connect("/").await;
        let mut bob = host.connect("/").await;
        for client in [&mut alice, &mut bob] {
            assert_eq!(client.expect_event("render").await, "<ul id=\"list\"></ul>");
        }
        let added = alice.call("add", json!({ "text": " milk " })).await;
        assert_eq!(added, Ok(json!(null)));
        let ticked = bob.call("tick", json!({ "line": 0 })).await;
        assert_eq!(ticked, Ok(json!(null)));
        for client in [&mut alice, &mut bob] {
            for class in ["open", "done"] {
                let line = format!("<li class=\"{class}\" data-line=\"0\">milk</li>");
                let list = client.expect_event("render").await;
                assert_eq!(list, format!("<ul id=\"list\">{line}</ul>"));
            }
        }
        for (event, data) in [
            ("add", json!({ "text": " " })),
            ("add", json!({ "text": "x".repeat(201) })),
            ("tick", json!({ "line": 1 })),
        ] {
            let refused = alice.call(event, data).await.expect_err("refused");
            assert_eq!(refused["code"], "REFUSED");
        }
        Ok(())
    }

    #[test]
    fn what_people_write_is_text_and_never_markup() {
        let lines = [Line {
            text: r#"<img src=x onerror='alert("1")'> & co"#.to_owned(),
            is_done: false,
        }];
        assert!(
            render(&lines)
                .contains("&lt;img src=x onerror=&#39;alert(&quot;1&quot;)&#39;&gt; &amp; co</li>")
        );
    }
}
