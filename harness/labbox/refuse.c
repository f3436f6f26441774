/* refuse.c - see refuse.h; seccomp(2). */
#include "refuse.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
enum { NATIVE = AUDIT_ARCH_X86_64 };
#elif defined __aarch64__
enum { NATIVE = AUDIT_ARCH_AARCH64 };
#else
enum { NATIVE = 0 }; /* its numbers and the place of clone's flags are not known here */
#endif

/* clone(2): CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
enum { NAMESPACES = 0x7e020000, X32 = 0x40000000 };

/* A signal does not interrupt the wait (Linux 5.19: not in every linux/seccomp.h). */
enum { WAIT_KILLABLE = 1 << 5 };

#define FIELD(name) \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, name))
#define FAIL(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define REFUSE(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), FAIL(EPERM)
#define MISSING(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), FAIL(ENOSYS)
#define ASK(call)                                          \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)

/* 0, or with a flag that asks for it a descriptor; -1 with errno. */
static int set_filter(struct sock_filter *filter, size_t len, unsigned flags)
{
    struct sock_fprog program = {(unsigned short)len, filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                        flags | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program);
}

/* Calls of other machines than NATIVE are left to refuse_calls(). */
int make_ask(void)
{
    struct sock_filter filter[] = {
        FIELD(nr),
        ASK(setsid),
        ASK(memfd_create),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    size_t len = sizeof filter / sizeof *filter;

    if (NATIVE == 0)
        return -1;
    int fd = set_filter(filter, len, SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE);
    return fd >= 0 ? fd : set_filter(filter, len, SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

bool take_question(int fd, struct question *question)
{
    struct seccomp_notif asked;

    memset(&asked, 0, sizeof asked);
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
        return false; /* who asked has ended */
    *question = (struct question){asked.id, asked.data.nr == SYS_setsid};
    return true;
}

void let_go_on(int fd, const struct question *question)
{
    struct seccomp_notif_resp answer = {
        .id = question->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

    ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer); /* an error: who asked has ended */
}

int refuse_calls(void)
{
    struct sock_filter filter[] = {
        FIELD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)NATIVE, 1, 0),
        FAIL(ENOSYS),
        FIELD(nr),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1),
        FAIL(ENOSYS),
        REFUSE(unshare),
        REFUSE(setns),
        REFUSE(mount),
        REFUSE(bpf),
        REFUSE(perf_event_open),
        REFUSE(userfaultfd),
        REFUSE(add_key),
        REFUSE(request_key),
        REFUSE(keyctl),
        MISSING(io_uring_setup),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
        FIELD(args[0]), /* the flags, in its low half on these machines */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 0, 1),
        FAIL(EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };

    return NATIVE == 0 ? 0 : set_filter(filter, sizeof filter / sizeof *filter, 0);
}
