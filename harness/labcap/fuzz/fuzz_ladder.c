/* fuzz_ladder.c - what `show` and `watch` draw. */
#include <stdlib.h>

#include "fuzz.h"
#include "ladder_stream.h"
#include "ladder_text.h"
#include "steps.h"

static void take_packet(void *context, const struct packet *packet, const struct flow_note *note)
{
    ladder_stream_packet(context, packet, note);
}

static void take_other(void *context, const struct packet *packet)
{
    static const struct flow_note none;

    ladder_stream_packet(context, packet, &none);
}

static void take_datagram(void *context, uint64_t packet, uint64_t fragments)
{
    ladder_stream_datagram(context, packet, fragments);
}

static void take_fate(void *context, const struct fate *fate)
{
    ladder_stream_fate(context, fate);
}

static void take_points(void *context, bool two)
{
    ladder_stream_points(context, two);
}

/* Octets: what to draw, the width, then those of steps.h. */
void fuzz_ladder(const uint8_t *bytes, size_t size)
{
    struct style style = {.number_width = 3};
    struct ladder_wish wish = {.style = &style};
    struct trace_listener listener = {.packet = take_packet,
                                      .datagram = take_datagram,
                                      .fate = take_fate,
                                      .other = take_other,
                                      .points = take_points};
    struct steps_wish steps = {.isn = {0xffffff00, 7}, .listener = &listener};
    struct ladder_stream *stream;
    struct trace trace;

    if (size < 3)
        return;
    style.utf8 = bytes[0] & 1;
    style.color = bytes[0] & 2;
    style.width = LADDER_WIDTH_MIN + bytes[1] % (LADDER_WIDTH_MAX - LADDER_WIDTH_MIN + 1);
    wish.payload = bytes[0] & 4;
    wish.all = bytes[0] & 8;
    wish.merged = bytes[0] & 16;
    wish.json = bytes[0] & 32;
    wish.only = bytes[0] & 64 ? 2 : 0;
    stream = bytes[0] & 128 ? ladder_stream_live(&style, wish.payload) : ladder_stream_new(&wish);
    listener.context = stream;
    steps_follow(&trace, bytes + 2, size - 2, &steps);
    ladder_stream_end(stream, NULL, trace.two_points ? trace.points_from : UINT64_MAX);
    ladder_stream_finish(stream);
    trace_free(&trace);
}
