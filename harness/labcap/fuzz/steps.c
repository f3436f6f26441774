/* steps.c - see steps.h. */
#include "steps.h"

#include <pcap/dlt.h>
#include <string.h>

#include "bytes.h"
#include "packet.h"
#include "passage.h"
#include "reader.h"

enum { FLOWS = 4, FRAME_MAX = 256, SNAPLEN = 160, KEPT = 256, KIND_UDP = 2, KIND_OTHER = 3 };

struct frame {
    uint8_t bytes[FRAME_MAX];
    uint32_t captured, wire;
    uint32_t ip_at;
    unsigned copies;
};

struct maker {
    const struct steps_wish *wish;
    uint32_t next[FLOWS][2];
    int64_t now_ns;
    uint16_t ip_id;
    uint64_t number;
    struct frame frames[KEPT]; /* the latest */
};

static int32_t signed16(const uint8_t *p)
{
    return (int16_t)((unsigned)p[0] << 8 | p[1]);
}

/* ---- Headers: each returns its size ---- */

static uint32_t put_link(uint8_t *p, bool six, bool vlan)
{
    uint32_t size = 12;

    memset(p, 2, 12);
    if (vlan) {
        put_be32(p + size, 0x81000007);
        size += 4;
    }
    put_be16(p + size, six ? 0x86dd : 0x0800);
    return size + 2;
}

static uint32_t put_ip(uint8_t *p, bool six, unsigned side, uint8_t protocol, uint32_t payload,
                       uint16_t id)
{
    uint32_t size = six ? 40 : 20;

    memset(p, 0, size);
    if (six) {
        p[0] = 0x60;
        put_be16(p + 4, payload);
        p[6] = protocol;
        p[23] = (uint8_t)(1 + side);
        p[39] = (uint8_t)(2 - side);
    } else {
        p[0] = 0x45;
        put_be16(p + 2, payload + size);
        put_be16(p + 4, id);
        p[9] = protocol;
        p[12] = p[16] = 10;
        p[15] = (uint8_t)(1 + side);
        p[19] = (uint8_t)(2 - side);
    }
    return size;
}

static const uint8_t options[] = {2, 4, 5, 180, 1, 3, 3, 7, 4, 2, 0, 0};

static uint32_t put_tcp(struct maker *m, uint8_t *p, const uint8_t *step, uint32_t payload)
{
    unsigned side = step[1] & 1, flow = step[1] >> 1 & 3;
    uint32_t *next = m->next[flow], seq, end;
    uint32_t size = step[9] & 32 ? 20 + sizeof options : 20;

    memset(p, 0, size);
    seq = next[side] + (uint32_t)signed16(step + 2) * (step[1] & 128 ? 65537 : 1);
    put_be16(p, side ? 80 : 40000 + flow);
    put_be16(p + 2, side ? 40000 + flow : 80);
    put_be32(p + 4, seq);
    put_be32(p + 8, next[side ^ 1u] + (uint32_t)signed16(step + 4));
    p[12] = (uint8_t)(size / 4 << 4);
    p[13] = step[0];
    put_be16(p + 14, step[7] == 255 ? 0 : 0x0100u * step[7] + 255);
    if (size > 20)
        memcpy(p + 20, options, sizeof options);
    end = seq + payload + (step[0] & TCP_SYN ? 1 : 0) + (step[0] & TCP_FIN ? 1 : 0);
    if (!(step[0] & TCP_RST) && (int32_t)(end - next[side]) > 0)
        next[side] = end;
    return size;
}

static uint32_t put_udp(uint8_t *p, const uint8_t *step, uint32_t payload)
{
    unsigned side = step[1] & 1, flow = step[1] >> 1 & 3;

    put_be16(p, side ? 80 : 40000 + flow);
    put_be16(p + 2, side ? 40000 + flow : 80);
    put_be16(p + 4, step[3] != 0 ? step[3] : payload + 8);
    put_be16(p + 6, (uint32_t)signed16(step + 4));
    return 8;
}

/* A piece of a datagram, or the news that a flow's packet could not be delivered. */
static uint32_t put_other(uint8_t *p, const uint8_t *step)
{
    unsigned flow = step[1] >> 1 & 3;
    uint32_t size;

    p[0] = step[1] & 8 ? 1 : 3;
    memset(p + 1, 0, 7);
    p[1] = step[2] & 15;
    size = 8 + put_ip(p + 8, step[1] & 8, (step[1] & 1) ^ 1, step[3] & 1 ? IP_UDP : IP_TCP, 20,
                      1);
    memset(p + size, 0, 8);
    put_be16(p + size, step[1] & 1 ? 40000 + flow : 80);
    put_be16(p + size + 2, step[1] & 1 ? 80 : 40000 + flow);
    return size + 8;
}

/* One's complement sum of the transport's octets and what of the IP header counts (RFC 9293). */
static void put_checksum(uint8_t *ip, bool six, uint8_t *place, const uint8_t *transport,
                         uint32_t header, uint32_t length, uint8_t protocol)
{
    const uint8_t *from = six ? ip + 8 : ip + 12;
    uint32_t sum = protocol + length;

    for (uint32_t i = 0; i < (six ? 32u : 8u); i += 2)
        sum += (uint32_t)from[i] << 8 | from[i + 1];
    for (uint32_t i = 0; i < header; i += 2) /* the payload is zeros */
        sum += (uint32_t)transport[i] << 8 | transport[i + 1];
    while (sum > 0xffff)
        sum = (sum >> 16) + (sum & 0xffff);
    put_be16(place, ~sum);
}

/* ---- Frames ---- */

static void put_fragment(uint8_t *ip, const uint8_t *step)
{
    put_be16(ip + 6, (step[2] & 1 ? 0x2000u : 0) | (step[2] >> 1 & 15));
}

static void make_frame(struct maker *m, struct frame *f, const uint8_t *step)
{
    bool six = step[1] & 8;
    unsigned kind = step[1] >> 4 & 3, side = step[1] & 1;
    uint32_t payload = step[6] * (step[1] & 64 ? 64u : 1u), size, header;
    uint8_t protocol = IP_TCP, *ip, *transport;

    memset(f, 0, sizeof *f);
    if (!(step[9] & 4))
        m->ip_id++;
    if (kind == KIND_UDP)
        protocol = IP_UDP;
    if (kind == KIND_OTHER)
        protocol = six ? IP_ICMPV6 : IP_ICMP;
    f->ip_at = size = put_link(f->bytes, six, step[9] & 16);
    ip = f->bytes + size;
    transport = ip + (six ? 40 : 20);
    header = kind < KIND_UDP     ? put_tcp(m, transport, step, payload)
             : kind == KIND_UDP ? put_udp(transport, step, payload)
                                : put_other(transport, step);
    if (kind == KIND_OTHER)
        payload = 0;
    size += put_ip(ip, six, side, protocol,
                   header + payload + (step[9] & 1 ? 1 + step[3] : 0),
                   m->wish->plain || step[9] & 8 ? 0 : m->ip_id) + header;
    if (protocol == IP_TCP)
        put_checksum(ip, six, transport + 16, transport, header, header + payload, protocol);
    if (kind == KIND_UDP && !six && !m->wish->plain)
        put_fragment(ip, step);
    f->wire = size + payload;
    f->captured = f->wire < SNAPLEN ? f->wire : SNAPLEN;
    if (step[9] & 2 && f->captured > step[3])
        f->captured -= step[3];
}

/* The frame with the tag that says which packet it is (passage.h). */
static void make_arrival(struct maker *m, struct frame *f, const uint8_t *step)
{
    struct frame *sent = &m->frames[(m->number - 1 - step[6]) % KEPT];
    uint32_t at = sent->ip_at, captured = sent->captured > at ? sent->captured - at : 0;
    uint64_t key = passage_key(sent->bytes + at, captured,
                               passage_ip_len(sent->bytes + at, captured));

    sent->copies++;
    *f = *sent;
    f->bytes[6] = PASSAGE_MAC_0;
    f->bytes[7] = PASSAGE_MAC_1;
    put_be16(f->bytes + 8, (uint32_t)key);
    put_be16(f->bytes + 10, step[7] + 1u);
    if (step[9] & 64 && f->captured > at + 20)
        f->bytes[at + 20 + step[3] % 20] ^= (uint8_t)(step[2] | 1);
}

static void take(struct maker *m, struct reading *reading, const uint8_t *step)
{
    struct frame *f = &m->frames[m->number % KEPT];
    struct reader_frame frame;

    m->now_ns += step[8] == 255 ? -1000000000 : (step[8] + 1) * 1000000;
    m->number++;
    if (step[9] & 128 && !m->wish->plain)
        make_arrival(m, f, step);
    else
        make_frame(m, f, step);
    frame = (struct reader_frame){.number = m->number,
                                  .time_ns = m->now_ns,
                                  .captured = f->captured,
                                  .wire_len = f->wire,
                                  .bytes = f->bytes,
                                  .chosen = true};
    trace_take(reading, &frame);
}

/* That the trace has two points is said by its first frame. */
static void take_mark(struct reading *reading)
{
    static const uint8_t head[14] = {2,    2, 2, 2, 2, 2, PASSAGE_MAC_0, PASSAGE_MAC_1, 0, 0, 0, 0,
                                     0x88, 0xb5};
    uint8_t bytes[sizeof head + sizeof PASSAGE_BANNER];
    struct reader_frame frame = {.number = 1, .bytes = bytes, .chosen = true};

    memcpy(bytes, head, sizeof head);
    memcpy(bytes + sizeof head, PASSAGE_BANNER, sizeof PASSAGE_BANNER);
    frame.captured = frame.wire_len = sizeof bytes;
    trace_take(reading, &frame);
}

void steps_follow(struct trace *trace, const uint8_t *bytes, size_t size,
                  const struct steps_wish *wish)
{
    static struct maker m;
    struct reading *reading = trace_begin(trace, "steps", DLT_EN10MB, wish->listener);

    m = (struct maker){.wish = wish};
    for (unsigned flow = 0; flow < FLOWS; flow++)
        memcpy(m.next[flow], wish->isn, sizeof wish->isn);
    if (size > 0 && *bytes & 1 && !wish->plain) {
        take_mark(reading);
        m.number = 1;
    }
    for (size_t at = 1, n = 0; size - at >= STEP_SIZE && at < size && n < STEPS_MAX;
         at += STEP_SIZE, n++)
        take(&m, reading, bytes + at);
    trace_end(reading);
    trace->complete = true;
}
