/* trace_internal.h - what trace.c, which takes packets, and trace_read.c, which reads a file of
 * them, share. */
#ifndef LABCAP_TRACE_INTERNAL_H
#define LABCAP_TRACE_INTERNAL_H

#include "points.h"
#include "reader.h"
#include "retire.h"
#include "trace.h"

/* Packets that are decoded while memory for the first of them is fetched. */
enum { TRACE_AHEAD = 8 };

struct decoded {
    struct packet packet;
    enum decode_result result;
    const struct flow *flow; /* probably its flow, whose memory is being fetched; NULL not known */
};

/* The reading of one trace. */
struct reading {
    struct trace *trace;
    struct points *points;
    bool watching; /* points_matter() */
    int link_type;
    uint32_t type_end, header; /* of a frame; no frame is so long where there is no type */
    struct trace_listener listener;
    struct retiring retiring;
    bool streams; /* connections are told as they end */
    bool looks_ahead; /* packets may be taken a little later than they come */
    struct decoded waiting[TRACE_AHEAD];
    unsigned waiting_count;
};

/* Takes what waits; `reading` is one. */
void trace_take_waiting(void *reading);

/* Maps a large file. What is decoded of it waits until the file was seen to hold it. Ends before
 * the first frame that is anything but an ordinary packet, or not to be believed; a few frames
 * before it, perhaps. */
void trace_take_mapped(struct reading *reading, struct reader *reader);

/* Of a stream: tells the connections that ended long before this time. */
void trace_tell_ended(struct reading *reading, int64_t now_ns);

/* No more packets: learns what only the end can tell. */
void trace_settle(struct reading *reading);
void trace_free_reading(struct reading *reading);

#endif
