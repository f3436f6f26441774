/*
 * A thread moves the bytes while this one waits for the reply. A command that needs a data
 * connection is sent before that is made; PASV's host is believed. What comes has no name
 * (O_TMPFILE) until it is whole. Lists are text (TYPE A); ALLO says what is to be stored.
 */
#include "ftp_client_setup.h"

#include <pthread.h>
#include <sys/mman.h>

enum { PART = 1 << 16 };

static int control_fd;
static char type = 'A';

/* A reply, of many lines in one piece. */
static char reply[1 << 12];
static int code;

/* What is under way. */
struct job {
    int from, to;
    const char *what;
    int error;              /* errno */
};

_Noreturn static void give_up(const char *why)
{
    complain("%s: %s", host, why);
    exit(1);
}

/* -- Replies: read with MSG_PEEK up to the end of a line, and no further ------------------ */

/* The next line into LINE, cut if it is too long. Returns its length. */
static size_t read_line(char *line, size_t size)
{
    char part[256], *end = NULL;
    size_t len = 0;

    while (end == NULL) {
        ssize_t n = recv(control_fd, part, sizeof part, MSG_PEEK);
        if (n > 0 && (end = memchr(part, '\n', (size_t)n)) != NULL)
            n = end - part + 1;
        if (n > 0)
            n = recv(control_fd, part, (size_t)n, 0);
        if (n <= 0)
            give_up(n < 0 ? strerror(errno) : "the server has ended the session");
        for (ssize_t i = 0; i < n && len + 1 < size; i++)
            if (part[i] != '\r' && part[i] != '\n')
                line[len++] = part[i] ? part[i] : ' ';
    }
    line[len] = '\0';
    return len;
}

static bool is_last(const char *line, const char *first)
{
    return strncmp(line, first, 3) == 0 && (line[3] == ' ' || line[3] == '\0');
}

static int read_reply(void)
{
    char first[4] = "";
    size_t len = read_line(reply, sizeof reply);

    snprintf(first, sizeof first, "%.3s", reply);
    if (len < 3 || strspn(first, "12345") == 0 || strspn(first, "0123456789") != 3
        || (!is_last(reply, first) && reply[3] != '-'))
        give_up("that is not FTP");
    while (!is_last(reply, first))
        read_line(reply, sizeof reply);
    code = atoi(first);
    if (code == 421)
        give_up(reply);
    return code / 100;
}

static void say(const char *verb, const char *argument)
{
    char *line;
    int len = asprintf(&line, "%s%s%s\r\n", verb, *argument ? " " : "", argument);

    if (len < 0 || !put(control_fd, line, (size_t)len))
        give_up(strerror(errno));
    free(line);
}

/* Returns the first digit of the reply; all of it is in CODE and REPLY. */
static int ask(const char *verb, const char *argument)
{
    say(verb, argument);
    return read_reply();
}

static void begin_session(void)
{
    while (read_reply() == 1)
        ;
    if (code / 100 == 2 && ask("USER", user) == 3 && code == 331)
        ask("PASS", password);
    if (code / 100 != 2)
        give_up(reply);
}

/* -- The thread ------------------------------------------------------------------------------ */

static void *move(void *argument)
{
    static char part[PART];
    struct job *job = argument;
    long long bytes = 0;
    ssize_t n;

    while ((n = read(job->from, part, sizeof part)) > 0 && put(job->to, part, (size_t)n))
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\r%s %lld", job->what, bytes += n);
    job->error = n == 0 ? 0 : errno;
    shutdown(job->from, SHUT_RDWR);     /* of these one is a socket */
    shutdown(job->to, n == 0 ? SHUT_WR : SHUT_RDWR);
    return NULL;
}

/* -- The data connection ---------------------------------------------------------------------- */

/* Where the server waits for it; false: it does not. */
static bool find_server(struct sockaddr_storage *at, socklen_t *len)
{
    struct sockaddr_in *v4 = (void *)at;
    unsigned n[6], port_number;

    *len = sizeof *at;
    getpeername(control_fd, (struct sockaddr *)at, len);
    if (ask("EPSV", "") == 2) {
        const char *begin = strchr(reply, '(');
        if (begin == NULL || strlen(begin) < 6 || begin[1] != begin[2] || begin[2] != begin[3]
            || sscanf(begin + 4, "%u", &port_number) != 1 || port_number > 65535)
            return false;
        v4->sin_port = htons((in_port_t)port_number);
        return true;
    }
    if (code / 100 != 5 || at->ss_family != AF_INET || ask("PASV", "") != 2)
        return false;
    const char *numbers = reply + 4 + strcspn(reply + 4, "0123456789");
    if (sscanf(numbers, "%u,%u,%u,%u,%u,%u", n, n + 1, n + 2, n + 3, n + 4, n + 5) != 6)
        return false;
    for (int i = 0; i < 6; i++)
        if (n[i] > 255)
            return false;
    v4->sin_addr.s_addr = htonl(n[0] << 24 | n[1] << 16 | n[2] << 8 | n[3]);
    v4->sin_port = htons((in_port_t)(n[4] << 8 | n[5]));
    return true;
}

static bool set_type(char wanted)
{
    if (type != wanted && ask("TYPE", (char[]){ wanted, '\0' }) != 2)
        return complain("TYPE %c: %s", wanted, reply);
    type = wanted;
    return true;
}

/* VERB, and what it moves from FILE_FD or to it. Whether it was all. */
static bool transfer_by(const char *verb, const char *argument, int file_fd, bool sends)
{
    struct sockaddr_storage at;
    socklen_t len;
    pthread_t thread;
    struct job job = { .what = *argument ? argument : "ls" };

    if (!find_server(&at, &len))
        return complain("%s: %s", job.what, reply);
    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    say(verb, argument);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, len) < 0) {
        complain("%s: data connection: %s", job.what, strerror(errno));
        close(fd);
        fd = -1;
    }
    int first = read_reply();
    job.from = sends ? file_fd : fd;
    job.to = sends ? fd : file_fd;
    if (fd >= 0 && first == 1) {
        if (pthread_create(&thread, NULL, move, &job) != 0)
            give_up("no thread");
        if (read_reply() != 2)
            shutdown(fd, SHUT_RDWR);
        pthread_join(thread, NULL);
        if (isatty(STDERR_FILENO))
            fputc('\n', stderr);
    } else if (first == 1)
        read_reply();
    close(fd);
    if (job.error != 0)
        complain("%s: %s", job.what, strerror(job.error));
    if (code / 100 != 2)
        return complain("%s: %s", job.what, reply);
    return fd >= 0 && job.error == 0;
}

/* -- Commands --------------------------------------------------------------------------------- */

/* What FD is gets the name LOCAL, perhaps in place of an old file. */
static bool give_name(int fd, const char *local)
{
    char link[40], *temporary;
    const char *slash = strrchr(local, '/');
    int front = slash ? (int)(slash + 1 - local) : 0;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, link, AT_FDCWD, local, AT_SYMLINK_FOLLOW) == 0)
        return true;
    if (errno != EEXIST || asprintf(&temporary, "%.*s.%ld.whole", front, local,
                                    (long)getpid()) < 0)
        return false;
    bool done = linkat(AT_FDCWD, link, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) == 0
        && (rename(temporary, local) == 0 || unlink(temporary) < 0);
    free(temporary);
    return done;
}

static bool get(const char *remote, const char *local)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(local, '/');
    struct stat status;

    snprintf(folder, sizeof folder, "%.*s.", slash ? (int)(slash + 1 - local) : 0, local);
    if (stat(local, &status) == 0 && S_ISDIR(status.st_mode))
        return complain("get %s: %s is a folder", remote, local);
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (fd < 0)
        return complain("get %s: %s: %s", remote, local, strerror(errno));
    bool whole = set_type('I') && transfer_by("RETR", remote, fd, false);
    if (whole && !give_name(fd, local))
        whole = complain("get %s: %s: %s", remote, local, strerror(errno));
    close(fd);
    return whole;
}

static bool store(const char *local, const char *remote)
{
    int fd = open(local, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    char size[30];

    if (fd < 0)
        return complain("put %s: %s", local, strerror(errno));
    bool whole = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    if (!whole)
        complain("put %s: it is no file", local);
    if (whole) {
        snprintf(size, sizeof size, "%lld", (long long)status.st_size);
        ask("ALLO", size);      /* it may be 202, or 502 */
        whole = set_type('I') && transfer_by("STOR", remote, fd, true);
    }
    close(fd);
    return whole;
}

static bool list(void)
{
    int fd = memfd_create("list", MFD_CLOEXEC);

    if (fd < 0)
        return complain("ls: %s", strerror(errno));
    if (!set_type('A') || !transfer_by("NLST", "", fd, false)) {
        close(fd);
        return false;
    }
    lseek(fd, 0, SEEK_SET);
    FILE *list = fdopen(fd, "r");
    for (int c, next; list != NULL && (c = getc(list)) != EOF; ) {
        if (c == '\r' && (next = getc(list)) != '\n') {
            putchar(c);
            ungetc(next, list);
        } else
            putchar(c == '\r' ? '\n' : c);
    }
    if (list != NULL)
        fclose(list);
    return fflush(stdout) != EOF || complain("ls: %s", strerror(errno));
}

/* Whether every line was done. */
static bool obey_lines(void)
{
    char line[2 * PATH_MAX];
    bool all = true;

    for (;;) {
        if (isatty(STDIN_FILENO))
            fprintf(stderr, "ftp> ");
        if (fgets(line, sizeof line, stdin) == NULL)
            break;
        if (strchr(line, '\n') == NULL && !feof(stdin)) {
            all = complain("a line is too long");
            for (int c; (c = getchar()) != '\n' && c != EOF; )
                ;
            continue;
        }
        enum verdict verdict = obey_line(line);
        if (verdict == QUIT)
            return all;
        all &= verdict == DONE;
    }
    return !ferror(stdin) ? all : complain("stdin: %s", strerror(errno));
}

int main(int argc, char *argv[])
{
    read_options(argc, argv);
    control_fd = open_socket(host, port, 0, connect);
    begin_session();
    bool all = optind == argc ? obey_lines() : obey(argv + optind, argc - optind) != FAILED;
    say("QUIT", "");
    shutdown(control_fd, SHUT_WR);
    while (recv(control_fd, reply, sizeof reply, 0) > 0)
        ;
    return all ? 0 : 1;
}
