/* filter.h - which packets a packet socket is given (packet(7), bpf(4)). */
#ifndef LABWIRE_FILTER_H
#define LABWIRE_FILTER_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* What the kernel knows of the packet: PKTTYPE, MARK. */
#define LOAD(what) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_##what))
/* Both skip as many steps. */
#define IF(value, skipped) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, skipped, 0)
#define UNLESS(value, skipped) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skipped)
#define GIVE(bytes) BPF_STMT(BPF_RET | BPF_K, bytes)

/* 0, or -1 with errno. */
static inline int filter_attach(int fd, struct sock_filter *steps, size_t count)
{
    struct sock_fprog program = {.len = (unsigned short)count, .filter = steps};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

#endif
