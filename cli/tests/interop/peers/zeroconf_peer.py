"""python-zeroconf as a peer of the interoperability tests.

The one argument is a JSON object that says what to do, {"publish": {...}} or {"browse": {...}}; lines of JSON on
standard input change it; what happens is printed as lines of JSON. All of the Rust side of this is in ../peer.rs.
"""
import json
import socket
import sys

from zeroconf import InterfaceChoice, IPVersion, ServiceBrowser, ServiceInfo, Zeroconf


def say(event, **rest):
    print(json.dumps({"event": event, **rest}), flush=True)


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def open_zeroconf(families):
    # A link-local address alone names no interface; its index does.
    if families == [6]:
        return Zeroconf(interfaces=[socket.if_nametoindex("eth0")], ip_version=IPVersion.V6Only)
    if families == [4]:
        return Zeroconf(interfaces=InterfaceChoice.Default, ip_version=IPVersion.V4Only)
    return Zeroconf(interfaces=[socket.if_nametoindex("eth0"), host_ipv4()], ip_version=IPVersion.All)


def host_ipv4():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("224.0.0.251", 5353))
        return probe.getsockname()[0]


def publish(families, order):
    zc = open_zeroconf(families)
    kind = order["type"] + ".local."
    # A service of python-zeroconf has one type: its own, or a subtype of it.
    listed = f"{order['subtypes'][0]}._sub.{kind}" if order["subtypes"] else kind
    txt = dict(map(tuple, order["txt"]))

    def info(name, txt):
        return ServiceInfo(listed, name, port=order["port"], properties=txt,
                           addresses=[packed(address) for address in order["addresses"]],
                           server=f"{order['host']}.local.")

    service = info(f"{order['name']}.{kind}", txt)
    zc.register_service(service, allow_name_change=not order["subtypes"], strict=False)
    instance = service.name.removesuffix("." + kind)
    if instance != order["name"]:
        say("renamed", instance=instance)
    say("published", instance=instance)
    for line in sys.stdin:
        command = json.loads(line)
        if "txt" in command:
            service = info(service.name, dict(map(tuple, command["txt"])))
            zc.update_service(service)
            say("updated")
        elif "withdraw" in command:
            zc.unregister_service(service)
            say("withdrawn")
    zc.close()


class Listener:
    """Tells what the browser finds; it resolves in its own thread, as the documentation's examples do."""

    def __init__(self, kind):
        self.kind = kind

    def _tell(self, event, zc, kind, name):
        info = zc.get_service_info(kind, name)
        if info is None:
            say("unresolved", instance=name.removesuffix("." + self.kind))
            return
        say(event, instance=name.removesuffix("." + self.kind), host=info.server, port=info.port,
            addresses=info.parsed_addresses(IPVersion.All), txt=info.decoded_properties)

    def add_service(self, zc, kind, name):
        self._tell("found", zc, kind, name)

    def update_service(self, zc, kind, name):
        self._tell("changed", zc, kind, name)

    def remove_service(self, zc, kind, name):
        say("lost", instance=name.removesuffix("." + self.kind))


def browse(families, order):
    zc = open_zeroconf(families)
    kind = order["type"] + ".local."
    listed = f"{order['subtype']}._sub.{kind}" if order["subtype"] else kind
    ServiceBrowser(zc, listed, Listener(kind))
    say("browsing")
    for _ in sys.stdin:
        pass
    zc.close()


def main():
    order = json.loads(sys.argv[1])
    if "publish" in order:
        publish(order["families"], order["publish"])
    else:
        browse(order["families"], order["browse"])


main()
