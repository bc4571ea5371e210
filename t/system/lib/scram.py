"""SCRAM (RFC 5802) as a client or as a server that lies, for what no program here has: -PLUS, "y", wrong signatures."""
import base64, hashlib, hmac, os


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def encode(data):
    return base64.b64encode(data).decode()


class Client:
    def __init__(self, user, password, digest="sha256", header="n,,", binding=b""):
        self.password, self.digest = password.encode(), digest
        self.header, self.binding = header, binding
        self.bare = "n=%s,r=%s" % (user, encode(os.urandom(12)))

    def first(self):
        return self.header + self.bare

    def final(self, server_first):
        words = dict(word.split("=", 1) for word in server_first.split(","))
        salted = hashlib.pbkdf2_hmac(self.digest, self.password, base64.b64decode(words["s"]), int(words["i"]))
        key = hmac.digest(salted, b"Client Key", self.digest)
        without = "c=%s,r=%s" % (encode(self.header.encode() + self.binding), words["r"])
        message = ",".join((self.bare, server_first, without)).encode()
        proof = xor(key, hmac.digest(hashlib.new(self.digest, key).digest(), message, self.digest))
        self.expected = "v=" + encode(hmac.digest(hmac.digest(salted, b"Server Key", self.digest), message, self.digest))
        return "%s,p=%s" % (without, encode(proof))
