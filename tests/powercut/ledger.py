"""What senders and committers were promised, and whether it is true."""
import hashlib
import random
import threading

import remoting

TOPIC, GROUP, QUEUES, CONNECTIONS, IN_FLIGHT = "PowerTopic", "power-group", 4, 3, 32
PAD = (1, 16, 128, 500)


def digest(body):
    return hashlib.blake2b(body, digest_size=12).digest()


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.faults = []
        self.sent = set()  # digests of all bodies that were given to a connection
        self.acknowledged = {}  # (queue, offset) -> digest
        self.committed = {}  # queue -> offset
        self.refused = 0

    def fault(self, text):
        with self.lock:
            self.faults.append(text)

    def join(self, port):
        """The topic and the group exist."""
        conn = remoting.Connection(port)
        heartbeat = (f'{{"clientID":"power@1","consumerDataSet":[{{"groupName":"{GROUP}","consumeType":"CONSUME_ACTIVELY","messageModel":"CLUSTERING",'
                     '"consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","subscriptionDataSet":[]}],"producerDataSet":[]}')
        code, _, remark, _ = conn.call(remoting.HEARTBEAT, {}, heartbeat.encode())
        assert code == 0, remark
        body = b"first"
        self.sent.add(digest(body))
        code, fields, remark, _ = conn.call(remoting.SEND_V2, remoting.send_fields(TOPIC, 0, default_queues=QUEUES), body)
        assert code == 0, remark
        self.acknowledged[(0, int(fields["queueOffset"]))] = digest(body)
        conn.close()

    def threads(self, port, name, rng):
        senders = [threading.Thread(target=self.send, args=(port, f"{name}c{c}", rng.getrandbits(64))) for c in range(CONNECTIONS)]
        return senders + [threading.Thread(target=self.commit, args=(port,))]

    def send(self, port, name, seed):
        """Keeps IN_FLIGHT sends under way until one is refused or the connection ends."""
        rng, under_way, number = random.Random(seed), {}, 0
        try:
            conn = remoting.Connection(port)
            while True:
                batch = b""
                while len(under_way) < IN_FLIGHT:
                    number += 1
                    body = f"{name}-{number}-".encode() + rng.randbytes(8) * rng.choice(PAD)
                    frame, opaque = conn.frame(remoting.SEND_V2, remoting.send_fields(TOPIC, rng.randrange(QUEUES)), body)
                    under_way[opaque] = digest(body)
                    batch += frame
                with self.lock:
                    self.sent.update(under_way.values())
                conn.send_raw(batch)
                for _ in range(IN_FLIGHT // 2):
                    opaque, code, fields, _, _ = conn.receive()
                    body = under_way.pop(opaque)
                    with self.lock:
                        if code != 0:  # the disk answers no more, or not yet
                            self.refused += 1
                            return
                        key = (int(fields["queueId"]), int(fields["queueOffset"]))
                        if key in self.acknowledged:
                            self.faults.append(f"queue {key[0]} offset {key[1]} was given twice")
                        self.acknowledged[key] = body
        except remoting.Closed:
            pass

    def commit(self, port):
        """Commits growing offsets, one at a time, each acknowledged."""
        try:
            conn = remoting.Connection(port)
            while True:
                for queue in range(QUEUES):
                    offset = self.committed.get(queue, 0) + 1
                    code, _, _, _ = conn.call(remoting.UPDATE_OFFSET, {"consumerGroup": GROUP, "topic": TOPIC, "queueId": queue, "commitOffset": offset})
                    if code != 0:
                        return
                    self.committed[queue] = offset
        except remoting.Closed:
            pass

    def verify(self, port, wanted=None):
        """Pulls everything from the lowest wanted offset of each queue (None: all that is kept) on and compares it. Returns how many messages came."""
        conn, came = remoting.Connection(port), 0
        for queue in range(QUEUES):
            known = {offset: body for (q, offset), body in self.acknowledged.items() if q == queue}
            if known:
                came += self.verify_queue(conn, queue, known, wanted)
            code, fields, _, _ = conn.call(remoting.QUERY_OFFSET, {"consumerGroup": GROUP, "topic": TOPIC, "queueId": queue})
            if queue in self.committed and (code != 0 or int(fields["offset"]) < self.committed[queue]):
                self.fault(f"queue {queue}: offset {self.committed[queue]} was committed, now {code} {fields}")
        conn.close()
        return came

    def verify_queue(self, conn, queue, known, wanted):
        first = int(conn.call(31, {"topic": TOPIC, "queueId": queue})[1].get("offset", 0))  # what retention has dropped
        end = int(conn.call(remoting.MAX_OFFSET, {"topic": TOPIC, "queueId": queue})[1].get("offset", 0))
        if max(known) >= end:
            self.fault(f"queue {queue} ends at {end}, offset {max(known)} was acknowledged; {sum(o >= end for o in known)} are lost")
        at = max(first, min((o for q, o in wanted if q == queue), default=end) if wanted is not None else first)
        came = 0
        while at < end:
            code, fields, remark, body = conn.call(remoting.PULL, remoting.pull_fields(GROUP, TOPIC, queue, at, count=1000))
            if code != 0:
                self.fault(f"queue {queue} offset {at}: pull answered {code} {remark} {fields}; {sum(o >= at for o in known)} acknowledged messages from here")
                return came
            got = {offset: digest(message) for offset, message in remoting.messages(body)}
            following = int(fields["nextBeginOffset"])
            for offset, message in got.items():
                if offset in known and known[offset] != message:
                    self.fault(f"queue {queue} offset {offset}: another body than the one acknowledged")
                if message not in self.sent:
                    self.fault(f"queue {queue} offset {offset}: a body that nobody sent")
            lost = [offset for offset in range(at, following) if offset in known and offset not in got]
            if lost:
                self.fault(f"queue {queue}: acknowledged and not delivered: {lost[:10]}")
            came += len(got)
            at = max(following, at + 1)
        return came
