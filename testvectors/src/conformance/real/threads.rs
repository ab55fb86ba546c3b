//! What a node's threads do when there is nothing to do.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::start;

/// How often each thread of this process that is not the reactor's has gone to sleep, by its id.
fn sleeps() -> BTreeMap<String, u64> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let read = |path: &Path, file| std::fs::read_to_string(path.join(file)).unwrap_or_default();
    let workers = tasks.filter(|task| read(task, "comm").trim() != "async-io");
    let count = |status: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    };
    workers.map(|task| (task.display().to_string(), count(&read(&task, "status")))).collect()
}

/// The threads of an idle node sleep.
pub fn the_threads_of_an_idle_node_sleep() {
    let node = start(1, "a", &["eth0"]);
    // Start burst, second looks at the interfaces: all over after four seconds.
    thread::sleep(Duration::from_secs(6));
    let asleep = sleeps();
    thread::sleep(Duration::from_secs(5));
    let restless: Vec<_> = sleeps()
        .into_iter()
        .map(|(thread, count)| (asleep.get(&thread).map_or(count, |before| count - before), thread))
        .filter(|(woken, _)| *woken > 4)
        .collect();
    assert!(restless.is_empty(), "{restless:?}");
    node.stop();
}
