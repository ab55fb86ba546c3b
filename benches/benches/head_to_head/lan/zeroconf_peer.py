"""python-zeroconf as a publisher or a browser of the benchmark in mod.rs.

Arguments: publish or browse, this host's IPv4 address and name, and a service type. A publisher reads names from standard
input, one a line, and publishes each; a browser prints what it has resolved.
"""
import socket
import sys

from zeroconf import IPVersion, ServiceBrowser, ServiceInfo, Zeroconf


class Listener:
    """Resolves in the browser's own thread, as the documentation's examples do."""

    def add_service(self, zc, kind, name):
        if zc.get_service_info(kind, name):
            print("found", name.removesuffix("." + kind), flush=True)

    def update_service(self, zc, kind, name):
        pass

    def remove_service(self, zc, kind, name):
        pass


def main():
    role, address, host, kind = sys.argv[1:]
    kind += ".local."
    zc = Zeroconf(interfaces=[address], ip_version=IPVersion.V4Only)
    if role == "browse":
        ServiceBrowser(zc, kind, Listener())
    print("ready", flush=True)
    for line in sys.stdin:
        name = f"{line.strip()}.{kind}"
        packed = [socket.inet_aton(address)]
        zc.register_service(ServiceInfo(kind, name, port=80, properties={"a": "b"}, addresses=packed, server=f"{host}.local."))


main()
