/* calls_sockets.h - which call touched which socket: a replay of the log.
 *
 * Each thread has a table of descriptors, shared with the threads of its process and copied by a
 * fork. What -yy writes behind a descriptor is believed before the table. */
#ifndef LABCAP_CALLS_SOCKETS_H
#define LABCAP_CALLS_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "strace_log.h"
#include "strace_text.h"

enum { NO_SOCKET = UINT32_MAX };

/* A socket in a set of epoll, by the 64 bits that epoll_wait() will give back. */
struct watched {
    uint64_t data;
    uint32_t socket;
};

/* A socket, or a set of epoll. */
struct socket_record {
    uint8_t protocol; /* IP_TCP, IP_UDP; 0 not known */
    bool from_start;  /* all its calls are in the log */
    bool listening, accepted, connecting, linger_zero, is_epoll;
    bool refused; /* its latest connect failed for good */
    bool renewed; /* by connect(AF_UNSPEC): -yy goes on to tell the names of the one before */
    struct text_address local, remote;
    uint64_t inode;
    uint32_t listener;     /* of an accepted one; NO_SOCKET */
    uint32_t references;   /* descriptors */
    int64_t from_ns, to_ns; /* connect, accept: when the connection can have begun */
    bool closed;           /* its last descriptor was, or its last process went */
    uint32_t closing_call;
    struct watched *watched; /* of a set of epoll */
    size_t watched_count;
    uint32_t flow; /* of TCP and connected UDP, see calls_match_flows(); 0 none */
    uint8_t side;
    bool looked_for;
};

/* A process, as far as rows name it. */
struct traced_process {
    char *program;      /* "" not known */
    uint32_t leader;    /* its first thread */
    uint32_t forked_of; /* index; its own where it was not seen to be forked */
    bool gone;
};

struct traced_thread {
    uint32_t group, pid, process;
    struct fd_table *table;
    bool gone;
    bool named, sure; /* its pid is in the table of pids; is the one in the log */
    uint32_t from;    /* its first call */
    uint32_t made_by, parent_from; /* its parent's call that made it, its parent's first one */
    uint32_t last_socket; /* that it touched; NO_SOCKET */
    uint32_t accepting;   /* its latest touch of TOUCH_ACCEPT */
};

enum touch_kind {
    TOUCH_SETUP,   /* socket, bind, listen, setsockopt: before there is a flow, or about it */
    TOUCH_CONNECT,
    TOUCH_ACCEPT,
    TOUCH_SEND,
    TOUCH_RECEIVE,
    TOUCH_WAIT,    /* poll and the like */
    TOUCH_CLOSE,   /* close, shutdown, exit */
    TOUCH_OTHER,   /* getsockname and the like */
    TOUCH_STANDARD /* descriptors 0 to 2, of a process that has the socket */
};

enum { READY_READ = 1, READY_WRITE = 2, READY_ERROR = 4, READY_HANGUP = 8 };

struct touch {
    uint32_t call, socket;
    uint32_t process;
    uint32_t accepted;  /* TOUCH_ACCEPT: the new socket */
    uint32_t remaining; /* TOUCH_CLOSE: descriptors of the socket that are still open */
    uint32_t flow;      /* 0: none */
    uint8_t kind, side;
    uint8_t ready; /* TOUCH_WAIT: what the call told of the socket */
};

/* All about the log, replayed. */
struct replay {
    const struct strace_log *log;
    struct socket_record *sockets;
    size_t socket_count, socket_capacity;
    struct touch *touches; /* in the order of their calls' beginnings */
    size_t touch_count, touch_capacity;
    struct traced_thread *threads;
    size_t thread_count, thread_capacity;
    struct traced_process *processes;
    size_t process_count, process_capacity;
    uint32_t *thread_of; /* by call */
    size_t entries; /* of all tables of descriptors */
    struct id_slot *by_pid; /* threads by group and pid: a hash table */
    size_t by_pid_size;
    uint32_t *unseen; /* threads that were made and have not done anything yet */
    size_t unseen_count;
};

void replay_run(struct replay *replay, const struct strace_log *log);
void replay_free(struct replay *replay);

/* Number of the result ("4<TCP:…>", "-1 EAGAIN (…)", "0x2"): false if it has none. */
bool call_result(const struct traced_call *call, int64_t *number);

/* True if it failed with this error. */
bool call_failed(const struct traced_call *call, const char *error);

/* sendto(MSG_FASTOPEN) connects as well. */
bool call_opens_fast(const struct traced_call *call);

static inline struct span call_arguments(const struct traced_call *call)
{
    return (struct span){call->arguments, __builtin_strlen(call->arguments)};
}

static inline struct span call_argument(const struct traced_call *call, unsigned index)
{
    return span_nth(call_arguments(call), index);
}

#endif
