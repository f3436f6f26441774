/*
 * make_trace - writes a trace for measuring analysers: always the same one.
 *
 *     make_trace long|short FILE
 *
 * Two million packets, Ethernet, microseconds, the first 128 octets of each, as
 * `tcpdump -s 128` writes them.
 * long: 8 transfers at a time, full segments, 64 of them under way, an acknowledgement for two;
 * short: 100,000 connections of 20 packets, 1,000 at a time: requests and short answers.
 * Packets of different connections follow each other at random (a fixed sequence).
 */
#include "../harness/labcap/decode/bytes.h"
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LONG_CONNECTIONS = 8,
    LONG_PACKETS = 250000, /* of each */
    SHORT_CONNECTIONS = 100000,
    SHORT_PACKETS = 20,
    SHORT_AT_A_TIME = 1000,
    STEP_US = 10, /* from packet to packet */
    START_S = 1700000000,
    SNAPLEN = 128,
    ETHERNET = 1, /* the link type */
    RECORD_HEADER = 16,
    HEADERS = 14 + 20 + 20,
    SYN_OPTIONS = 8,
    REQUEST = 40,
    ANSWER = 100,
    SEGMENT = 1460,
    UNDER_WAY = 64 /* segments of a long connection */
};

enum { FIN = 0x01, SYN = 0x02, PSH = 0x08, ACK = 0x10 };
enum { CLIENT, SERVER };

struct connection {
    uint32_t number, packets;
    uint32_t seq[2];
    uint32_t data; /* octets of the server's, all in all */
};

static FILE *out;
static uint64_t time_us;
static uint16_t ip_id;

/* Of the IP header, RFC 1071. */
static uint32_t checksum(const uint8_t *p)
{
    uint32_t sum = 0;

    for (int i = 0; i < 20; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    return ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
}

static void put_end(uint8_t *address, uint8_t *port, const struct connection *c, int end)
{
    put_be32(address, end == SERVER ? 0x0a000001 : 0x0a010000 + c->number / 25000 * 256 + 2);
    put_be16(port, end == SERVER ? 80 : 20000 + c->number % 25000);
}

/* Writes a segment and counts it as sent. `unseen`: octets that it does not acknowledge yet. */
static void send_segment(struct connection *c, int sender, uint32_t flags, uint32_t data,
                         uint32_t unseen)
{
    static uint8_t record[RECORD_HEADER + SNAPLEN];
    uint8_t *frame = record + RECORD_HEADER, *ip = frame + 14, *tcp = ip + 20;
    uint32_t options = flags & SYN ? SYN_OPTIONS : 0, size = HEADERS + options + data;
    uint32_t captured = size < SNAPLEN ? size : SNAPLEN;
    uint32_t header[4] = {START_S + (uint32_t)(time_us / 1000000), (uint32_t)(time_us % 1000000),
                          captured, size};

    memset(record, 'x', sizeof record);
    memcpy(record, header, sizeof header);
    memcpy(frame, "\2\0\0\0\0\1\2\0\0\0\0\2\x08", 14);
    memcpy(ip, "\x45\0\0\0\0\0\x40\0\x40\6\0", 12);
    put_be16(ip + 2, size - 14);
    ip_id = ip_id == UINT16_MAX ? 1 : (uint16_t)(ip_id + 1);
    put_be16(ip + 4, ip_id);
    put_end(ip + 12, tcp, c, sender);
    put_end(ip + 16, tcp + 2, c, sender ^ 1);
    put_be16(ip + 10, checksum(ip));
    put_be32(tcp + 4, c->seq[sender]);
    put_be32(tcp + 8, flags & ACK ? c->seq[sender ^ 1] - unseen : 0);
    tcp[12] = (uint8_t)((20 + options) / 4 << 4);
    tcp[13] = (uint8_t)flags;
    memcpy(tcp + 14, "\xff\xff\0\0\0\0", 6);
    if (options > 0)
        memcpy(tcp + 20, "\2\4\5\xb4\1\3\3\7", SYN_OPTIONS);
    if (fwrite(record, RECORD_HEADER + captured, 1, out) != 1)
        die("fwrite");
    c->seq[sender] += data + (flags & (SYN | FIN) ? 1 : 0);
    time_us += STEP_US;
}

/* One of three to open a connection. */
static void open_connection(struct connection *c, uint32_t place)
{
    static const uint8_t flags[] = {SYN, SYN | ACK, ACK};

    send_segment(c, place == 1 ? SERVER : CLIENT, flags[place], 0, 0);
}

/* One of four to close it: the client first. */
static void close_connection(struct connection *c, uint32_t left)
{
    send_segment(c, left == 4 || left == 1 ? CLIENT : SERVER, left % 2 == 0 ? FIN | ACK : ACK, 0,
                 0);
}

/* Requests with two segments of an answer, which is acknowledged. */
static void talk(struct connection *c, uint32_t place)
{
    if (place % 4 == 3)
        send_segment(c, CLIENT, PSH | ACK, REQUEST, 0);
    else if (place % 4 == 2)
        send_segment(c, CLIENT, ACK, 0, 0);
    else
        send_segment(c, SERVER, PSH | ACK, ANSWER, 0);
}

/* A request; then two segments, and an acknowledgement of earlier ones. */
static void transfer(struct connection *c, uint32_t place, uint32_t left)
{
    uint32_t unseen = SEGMENT * UNDER_WAY < c->data ? SEGMENT * UNDER_WAY : c->data;

    if (place == 3) {
        send_segment(c, CLIENT, PSH | ACK, REQUEST, 0);
    } else if (place % 3 == 0) {
        send_segment(c, CLIENT, ACK, 0, left < 8 ? 0 : unseen);
    } else {
        send_segment(c, SERVER, ACK, SEGMENT, 0);
        c->data += SEGMENT;
    }
}

static void go_on(struct connection *c, uint32_t packets)
{
    uint32_t place = c->packets++, left = packets - place;

    if (place < 3)
        open_connection(c, place);
    else if (left <= 4)
        close_connection(c, left);
    else if (packets == LONG_PACKETS)
        transfer(c, place, left);
    else
        talk(c, place);
}

static void start(struct connection *c, uint32_t number)
{
    *c = (struct connection){.number = number};
    c->seq[CLIENT] = number * 2654435761u;
    c->seq[SERVER] = ~c->seq[CLIENT];
}

/* `count` connections of `packets` each, `at_a_time` of them. */
static void write_connections(uint32_t count, uint32_t packets, uint32_t at_a_time)
{
    static struct connection open[SHORT_AT_A_TIME];
    uint64_t random = 1;
    uint32_t started = at_a_time;

    for (uint32_t i = 0; i < at_a_time; i++)
        start(&open[i], i);
    while (at_a_time > 0) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        struct connection *c = &open[(random >> 33) % at_a_time];

        go_on(c, packets);
        if (c->packets < packets)
            continue;
        if (started < count)
            start(c, started++);
        else
            *c = open[--at_a_time];
    }
}

int main(int argc, char **argv)
{
    const uint16_t version[2] = {2, 4};
    const uint32_t magic = 0xa1b2c3d4, rest[4] = {0, 0, SNAPLEN, ETHERNET};
    static char buffer[1 << 20];

    if (argc != 3 || (strcmp(argv[1], "long") != 0 && strcmp(argv[1], "short") != 0))
        usage_error("long|short FILE");
    out = fopen(argv[2], "w");
    if (out == NULL)
        die(argv[2]);
    setvbuf(out, buffer, _IOFBF, sizeof buffer);
    fwrite(&magic, sizeof magic, 1, out);
    fwrite(version, sizeof version, 1, out);
    fwrite(rest, sizeof rest, 1, out);
    if (*argv[1] == 'l')
        write_connections(LONG_CONNECTIONS, LONG_PACKETS, LONG_CONNECTIONS);
    else
        write_connections(SHORT_CONNECTIONS, SHORT_PACKETS, SHORT_AT_A_TIME);
    if (fclose(out) != 0)
        die(argv[2]);
    return 0;
}
