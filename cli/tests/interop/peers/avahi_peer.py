"""A client of avahi-daemon's D-Bus interface, as a peer of the interoperability tests.

It publishes, and changes the TXT record of what is published, which avahi-publish cannot. The one argument is
{"publish": {...}}; lines of JSON on standard input change it; what happens is printed as lines of JSON. All of the
Rust side of this is in ../peer.rs.
"""
import json
import sys
import threading

from jeepney import DBusAddress, MatchRule, message_bus, new_method_call
from jeepney.io.threading import DBusRouter, open_dbus_connection

SERVICE = "org.freedesktop.Avahi"
SERVER = DBusAddress("/", SERVICE, SERVICE + ".Server")
ANY, NO_FLAGS = -1, 0
ESTABLISHED, COLLISION = 2, 3


def say(event, **rest):
    print(json.dumps({"event": event, **rest}), flush=True)


def strings(txt):
    return [(key if value is None else f"{key}={value}").encode() for key, value in txt]


class Publication:
    def __init__(self, router, order):
        self.router, self.order, self.name = router, order, order["name"]
        self.txt = order["txt"]
        path, = self.call(SERVER, "EntryGroupNew")
        self.group = DBusAddress(path, SERVICE, SERVICE + ".EntryGroup")

    def call(self, at, method, signature=None, *values):
        reply = self.router.send_and_get_reply(new_method_call(at, method, signature, values))
        if reply.header.message_type.name == "error":
            raise RuntimeError(f"{method}: {reply.body}")
        return reply.body

    def publish(self):
        kind, port = self.order["type"], self.order["port"]
        self.call(self.group, "AddService", "iiussssqaay",
                  ANY, ANY, NO_FLAGS, self.name, kind, "", "", port, strings(self.txt))
        for subtype in self.order["subtypes"]:
            self.call(self.group, "AddServiceSubtype", "iiussss",
                      ANY, ANY, NO_FLAGS, self.name, kind, "", f"{subtype}._sub.{kind}")
        self.call(self.group, "Commit")

    def rename(self):
        self.name, = self.call(SERVER, "GetAlternativeServiceName", "s", self.name)
        say("renamed", instance=self.name)
        self.call(self.group, "Reset")
        self.publish()

    def update(self, txt):
        self.txt = txt
        self.call(self.group, "UpdateServiceTxt", "iiusssaay",
                  ANY, ANY, NO_FLAGS, self.name, self.order["type"], "", strings(txt))
        say("updated")

    def withdraw(self):
        self.call(self.group, "Reset")
        say("withdrawn")


def obey(publication):
    for line in sys.stdin:
        command = json.loads(line)
        if "txt" in command:
            publication.update(command["txt"])
        elif "withdraw" in command:
            publication.withdraw()


def main():
    order = json.loads(sys.argv[1])["publish"]
    with open_dbus_connection(bus="SYSTEM") as connection, DBusRouter(connection) as router:
        publication = Publication(router, order)
        rule = MatchRule(type="signal", interface=publication.group.interface, member="StateChanged",
                         path=publication.group.object_path)
        router.send_and_get_reply(message_bus.AddMatch(rule))
        # A signal that finds the queue full is lost, and they come while publishing.
        with router.filter(rule, bufsize=64) as signals:
            publication.publish()
            threading.Thread(target=obey, args=(publication,), daemon=True).start()
            while True:
                state = signals.get().body[0]
                if state == ESTABLISHED:
                    say("published", instance=publication.name)
                elif state == COLLISION:
                    publication.rename()


main()
