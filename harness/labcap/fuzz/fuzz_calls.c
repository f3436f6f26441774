/* fuzz_calls.c - the reader of strace's logs, and how calls come beside packets. */
#include <stdbool.h>
#include <string.h>

#include "fuzz.h"

enum { HEADER = 24, RECORD = 16, PACKET_MAX = 64, PACKETS_MAX = 32 };

/* The trace that the logs are beside: an echo over loopback, a reset, and two datagrams. */
struct step {
    unsigned at; /* in units of 10 us */
    uint8_t flags; /* 0: a datagram */
    bool from_server;
    uint16_t client_port;
    uint32_t seq, ack;
    const char *data;
};

static const struct step steps[] = {
    {0, 0x02, false, 39870, 0, 0, ""},      {1, 0x12, true, 39870, 0, 1, ""},
    {2, 0x10, false, 39870, 1, 1, ""},      {3, 0x18, false, 39870, 1, 1, "hello"},
    {4, 0x18, true, 39870, 1, 6, "hello"},  {5, 0x11, false, 39870, 6, 6, ""},
    {6, 0x14, true, 39870, 6, 7, ""},       {7, 0x02, false, 39871, 0, 0, ""},
    {8, 0x12, true, 39871, 0, 1, ""},       {9, 0x10, false, 39871, 1, 1, ""},
    {10, 0x11, true, 39871, 1, 1, ""},      {11, 0x11, false, 39871, 1, 2, ""},
    {12, 0x10, true, 39871, 2, 2, ""},      {13, 0, false, 39872, 0, 0, "hello"},
    {14, 0, true, 39872, 0, 0, "hello"},
};

static uint8_t *put(uint8_t *p, uint32_t value, unsigned octets)
{
    while (octets-- > 0)
        *p++ = (uint8_t)(value >> octets * 8);
    return p;
}

static uint8_t *put_packet(uint8_t *p, const struct step *s)
{
    uint32_t data = (uint32_t)strlen(s->data), header = s->flags != 0 ? 20 : 8;
    uint32_t length = 20 + header + data, from = s->from_server ? 4321 : s->client_port;

    p = put(p, 1700000000, 4);
    p = put(p, s->at * 10000, 4);
    p = put(p, length, 4);
    p = put(p, length, 4);
    p = put(p, 0x45000000 | length, 4);
    p = put(p, 0, 4);
    p = put(p, 0x40000000 | (s->flags != 0 ? 6u : 17u) << 16, 4);
    p = put(p, 0x7f000001, 4);
    p = put(p, 0x7f000001, 4);
    p = put(p, from, 2);
    p = put(p, s->from_server ? s->client_port : 4321, 2);
    if (s->flags == 0) {
        p = put(p, 8 + data, 2);
        p = put(p, 0, 2);
    } else {
        p = put(p, 1000000u * (s->from_server ? 2 : 1) + s->seq, 4);
        p = put(p, 1000000u * (s->from_server ? 1 : 2) + s->ack, 4);
        p = put(p, 0x5000u | s->flags, 2);
        p = put(p, 64240, 2);
        p = put(p, 0, 4);
    }
    memcpy(p, s->data, data);
    return p + data;
}

static size_t make_trace(uint8_t *trace)
{
    uint8_t *p = trace;

    p = put(p, 0xa1b23c4d, 4);
    p = put(p, 0x00020004, 4);
    p = put(p, 0, 4);
    p = put(p, 0, 4);
    p = put(p, 262144, 4);
    p = put(p, 101, 4);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        p = put_packet(p, &steps[i]);
    return (size_t)(p - trace);
}

void fuzz_calls(const uint8_t *bytes, size_t size)
{
    static uint8_t made[HEADER + PACKETS_MAX * (RECORD + PACKET_MAX)];
    const char *trace, *log;

    trace = fuzz_as_file(FUZZ_SECOND, made, make_trace(made));
    log = fuzz_as_file(FUZZ_FIRST, bytes, size);
    switch (size % 4) {
    case 0:
        fuzz_labcap((const char *const[]){"show", "--syscalls", log, trace, NULL});
        break;
    case 1:
        fuzz_labcap((const char *const[]){"show", "--json", "--syscalls", log, trace, NULL});
        break;
    case 2:
        fuzz_labcap(
            (const char *const[]){"show", "--merge", "--all", "--syscalls", log, trace, NULL});
        break;
    default:
        fuzz_labcap((const char *const[]){"show", "--payload", "--syscalls", log, "--syscalls",
                                          log, trace, NULL});
    }
}
