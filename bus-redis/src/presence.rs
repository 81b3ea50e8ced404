//! Presence: a hash of records a room, a set of rooms a node, and all leases in one sorted set.

use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, FromRedisValue, Value};
use wharf_hub::{
    NodeId, RoomName, SessionId,
    bus::{Beat, Members, Topic},
};

use crate::{history::bytes, names::Names};

const ENTER: &str = r"
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('SADD', KEYS[2], ARGV[3])
redis.call(ARGV[5], KEYS[3], ARGV[4])
";

const LEAVE: &str = r"
redis.call('HDEL', KEYS[1], ARGV[1])
if ARGV[2] == '1' then
  redis.call('SREM', KEYS[2], ARGV[3])
end
redis.call(ARGV[5], KEYS[3], ARGV[4])
";

/// Takes a lease in milliseconds; says whether there was none, whose are good, and whose have ended.
const BEAT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local before = redis.call('ZSCORE', KEYS[1], ARGV[1])
local lapsed = 0
if not before or tonumber(before) <= now then
  lapsed = 1
end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
now = string.format('%.0f', now)
return {
  lapsed,
  redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf'),
  redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)
}
";

const LIVE: &str = r"
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
";

/// Forgets a node's members in one partition.
const BURY: &str = r"
for _, room in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local members = ARGV[2] .. ':m:' .. room
  for _, session in ipairs(redis.call('HKEYS', members)) do
    if string.sub(session, 1, #ARGV[1]) == ARGV[1] then
      redis.call('HDEL', members, session)
    end
  end
end
redis.call('DEL', KEYS[1])
";

/// Ends a lease, unless it is good and somebody else's.
const END_LEASE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and (ARGV[2] == '1' or tonumber(score) <= now) then
  redis.call('ZREM', KEYS[1], ARGV[1])
end
";

fn script(script: &str, keys: &[String]) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(script).arg(keys.len()).arg(keys);
    command
}

fn keys(names: &Names, room: &RoomName, node: NodeId) -> [String; 3] {
    [
        names.members(room),
        names.rooms_of(room, node),
        names.channel(&Topic::Room(room.clone())),
    ]
}

pub(crate) fn enter(
    names: &Names,
    room: &RoomName,
    session: SessionId,
    record: &Bytes,
    notice: &Bytes,
) -> Cmd {
    let mut enter = script(ENTER, &keys(names, room, session.node));
    enter
        .arg(session.to_string())
        .arg(&record[..])
        .arg(&**room)
        .arg(&notice[..])
        .arg(names.publish_command());
    enter
}

pub(crate) fn leave(
    names: &Names,
    room: &RoomName,
    session: SessionId,
    is_last: bool,
    notice: &Bytes,
) -> Cmd {
    let mut leave = script(LEAVE, &keys(names, room, session.node));
    leave
        .arg(session.to_string())
        .arg(u8::from(is_last))
        .arg(&**room)
        .arg(&notice[..])
        .arg(names.publish_command());
    leave
}

pub(crate) fn members(names: &Names, room: &RoomName) -> Vec<Cmd> {
    let mut records = redis::cmd("HVALS");
    records.arg(names.members(room));
    // Whoever is among the records took its lease before.
    vec![records, script(LIVE, &[names.leases()])]
}

pub(crate) fn read_members(values: Vec<Value>) -> Option<Members> {
    let mut values = values.into_iter();
    let Some(Value::Array(records)) = values.next() else {
        return None;
    };
    Some(Members {
        records: records.into_iter().filter_map(bytes).collect(),
        live: nodes(&values.next()?)?,
    })
}

pub(crate) fn beat(names: &Names, node: NodeId, lease: Duration) -> Cmd {
    let mut beat = script(BEAT, &[names.leases()]);
    beat.arg(node.to_string())
        .arg(u64::try_from(lease.as_millis()).unwrap_or(u64::MAX));
    beat
}

/// What a beat brought, and whose leases have ended.
pub(crate) fn read_beat(values: &[Value]) -> Option<(Beat, Vec<NodeId>)> {
    let Some(Value::Array(reply)) = values.first() else {
        return None;
    };
    let [lapsed, live, expired] = &reply[..] else {
        return None;
    };
    let beat = Beat {
        live: nodes(live)?,
        had_lapsed: *lapsed == Value::Int(1),
    };
    Some((beat, nodes(expired)?))
}

pub(crate) fn bury(names: &Names, node: NodeId, is_own: bool) -> Vec<Cmd> {
    let node = node.to_string();
    let mut commands: Vec<_> = names
        .tags()
        .into_iter()
        .map(|tag| {
            let mut bury = script(BURY, &[format!("{tag}:n:{node}")]);
            bury.arg(&node).arg(tag);
            bury
        })
        .collect();
    let mut end = script(END_LEASE, &[names.leases()]);
    end.arg(&node).arg(u8::from(is_own));
    commands.push(end);
    commands
}

fn nodes(value: &Value) -> Option<Vec<NodeId>> {
    let names = Vec::<String>::from_redis_value_ref(value).ok()?;
    Some(names.iter().filter_map(|name| name.parse().ok()).collect())
}
