//! A shelf of books: what there is, what is added, and news of it.

use std::sync::{Mutex, PoisonError};

use async_graphql::{Context, Object, Result, SimpleObject, Subscription};
use futures::{Stream, StreamExt, stream};
use tokio::sync::broadcast;

/// The whole schema.
pub type Schema = async_graphql::Schema<Query, Mutation, News>;

/// How many books a shelf holds.
const SHELF: usize = 1000;

/// How deep and how costly an operation may be.
const DEPTH: usize = 8;
const COMPLEXITY: usize = 100;

/// An empty shelf and its schema.
pub fn schema() -> Schema {
    Schema::build(Query, Mutation, News)
        .limit_depth(DEPTH)
        .limit_complexity(COMPLEXITY)
        .data(Shelf::default())
        .finish()
}

struct Shelf {
    books: Mutex<Vec<Book>>,
    added: broadcast::Sender<Book>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            books: Mutex::default(),
            added: broadcast::channel(64).0,
        }
    }
}

#[derive(Clone, SimpleObject)]
struct Book {
    title: String,
    author: String,
}

/// What there is.
pub struct Query;

#[Object]
impl Query {
    async fn books(&self, context: &Context<'_>) -> Result<Vec<Book>> {
        let shelf = context.data::<Shelf>()?;
        Ok(shelf
            .books
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone())
    }
}

/// What can be done.
pub struct Mutation;

#[Object]
impl Mutation {
    async fn add(&self, context: &Context<'_>, title: String, author: String) -> Result<Book> {
        let shelf = context.data::<Shelf>()?;
        let book = Book { title, author };
        {
            let mut books = shelf.books.lock().unwrap_or_else(PoisonError::into_inner);
            if books.len() == SHELF {
                return Err("the shelf is full".into());
            }
            books.push(book.clone());
        }
        // Nobody may be listening.
        let _ = shelf.added.send(book.clone());
        Ok(book)
    }
}

/// What is told as it happens.
pub struct News;

#[Subscription]
impl News {
    /// Books as they are added; who listens too slowly misses some.
    async fn added(&self, context: &Context<'_>) -> Result<impl Stream<Item = Book> + use<>> {
        let added = context.data::<Shelf>()?.added.subscribe();
        Ok(stream::unfold(added, async |mut added| {
            loop {
                match added.recv().await {
                    Ok(book) => return Some((book, added)),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        }))
    }

    /// Counts up from 1, at once.
    async fn count(&self, to: u32) -> impl Stream<Item = u32> + use<> {
        stream::iter(1..=to).then(async |number| {
            tokio::task::yield_now().await;
            number
        })
    }
}
