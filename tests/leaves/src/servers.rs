//! Leaves of sqlx with a real PostgreSQL and of redis with a real Redis. `LEAVES_POSTGRES` and `LEAVES_REDIS`
//! say where they are.

use futures::StreamExt;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};

use crate::{HOUR, Leaves, leaf};

async fn sqlx_pool(pool: PgPool) {
    let _ = pool.acquire().await; // waits
}

async fn sqlx_query(pool: PgPool) {
    let _ = sqlx::query("SELECT pg_sleep(3600)").execute(&pool).await; // waits
}

async fn sqlx_lock(pool: PgPool) {
    let _ = sqlx::query("SELECT pg_advisory_lock(1)").fetch_one(&pool).await; // waits
}

async fn sqlx_listen(mut listener: PgListener) {
    let _ = listener.recv().await; // waits
}

async fn redis_pop(mut connection: MultiplexedConnection) {
    let _: redis::RedisResult<(String, String)> = connection.blpop("nothing", 0.0).await; // waits
}

async fn redis_subscribe(client: redis::Client) {
    let mut subscribed = client.get_async_pubsub().await.expect("Redis");
    subscribed.subscribe("nothing").await.expect("Redis");
    subscribed.on_message().next().await; // waits
}

pub(crate) async fn spawn(leaves: &mut Leaves) {
    if let Ok(url) = std::env::var("LEAVES_POSTGRES") {
        let pool = |most: u32| {
            let options = PgPoolOptions::new().max_connections(most).acquire_timeout(HOUR);
            let url = url.clone();
            async move { options.connect(&url).await.expect("PostgreSQL") }
        };
        let taken = pool(1).await;
        std::mem::forget(taken.acquire().await.expect("a connection"));
        leaf!(leaves, sqlx_pool(taken), "Pool::acquire");
        leaf!(leaves, sqlx_query(pool(1).await), "Query::execute");
        let two = pool(2).await;
        let mut holder = two.acquire().await.expect("a connection");
        sqlx::query("SELECT pg_advisory_lock(1)").execute(&mut *holder).await.expect("the lock");
        std::mem::forget(holder);
        leaf!(leaves, sqlx_lock(two), "Query::fetch_one");
        let mut listener = PgListener::connect(&url).await.expect("PostgreSQL");
        listener.listen("nothing").await.expect("PostgreSQL");
        leaf!(leaves, sqlx_listen(listener), "PgListener::recv");
    }
    if let Ok(url) = std::env::var("LEAVES_REDIS") {
        let client = redis::Client::open(url).expect("an address");
        let config = redis::AsyncConnectionConfig::new();
        let connection = client.get_multiplexed_async_connection_with_config(&config).await.expect("Redis");
        leaf!(leaves, redis_pop(connection), "");
        leaf!(leaves, redis_subscribe(client), "Next");
    }
}
