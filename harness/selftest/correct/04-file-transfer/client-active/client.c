/*
 * The server calls: EPRT, or PORT where that is not known. A child of its own has each data
 * connection; this process waits for the replies. Logs in when the first command needs it, and
 * says what type the file is when there is one. System calls only, lines byte by byte.
 */
#include "ftp_client_setup.h"

#include <sys/wait.h>

enum { PART = 1 << 15, NO_CALL = 60 /* seconds */ };

static int control_fd;
static char reply[1000], unread[512];
static size_t begin, end;
static bool logged_in, binary;
static char temporary[PATH_MAX];
static volatile pid_t child = -1;

static void forget_temporary(void)
{
    if (*temporary)
        unlink(temporary);
    *temporary = '\0';
}

static void end_by_signal(int number)
{
    (void)number;
    if (child > 0)
        kill(child, SIGKILL);
    forget_temporary();
    _exit(1);
}

_Noreturn static void give_up(const char *why)
{
    complain("%s: %s", host, why);
    end_by_signal(0);
    _exit(1);
}

/* -- Replies ----------------------------------------------------------------------------- */

/* The next byte, or -1. */
static int next_byte(void)
{
    if (begin == end) {
        ssize_t n = recv(control_fd, unread, sizeof unread, 0);
        begin = 0;
        end = n > 0 ? (size_t)n : 0;
    }
    return begin < end ? (unsigned char)unread[begin++] : -1;
}

/* A line into REPLY, as much of it as there is room for; false at the end. */
static bool read_line(void)
{
    size_t len = 0;
    int c;

    while ((c = next_byte()) >= 0 && c != '\n')
        if (len + 1 < sizeof reply)
            reply[len++] = (char)(c == '\0' ? '?' : c);
    while (len > 0 && reply[len - 1] == '\r')
        len--;
    reply[len] = '\0';
    return c >= 0;
}

/* Returns the reply's code, as a number. */
static int read_reply(void)
{
    char first[5] = "";

    do {
        if (!read_line())
            give_up("the server has closed the connection");
        if (*first == '\0') {
            snprintf(first, sizeof first, "%.4s", reply);
            if (strspn(first, "0123456789") != 3 || strchr("12345", *first) == NULL
                || (first[3] != '-' && first[3] != ' ' && first[3] != '\0'))
                give_up("what it says is no reply");
        }
    } while (first[3] == '-' && (strncmp(reply, first, 3) != 0
                                 || (reply[3] != ' ' && reply[3] != '\0')));
    int code = atoi(first);
    if (code == 421)
        give_up(reply);
    return code;
}

static int command(const char *verb, const char *argument)
{
    char line[2 * PATH_MAX];
    int len = snprintf(line, sizeof line, "%s%s%s\r\n", verb, *argument ? " " : "", argument);

    if (len >= (int)sizeof line)
        give_up("a name is too long");
    if (!put(control_fd, line, (size_t)len))
        give_up(strerror(errno));
    return read_reply();
}

static void log_in(void)
{
    if (logged_in)
        return;
    int code = command("USER", user);
    if (code == 331)
        code = command("PASS", password);
    if (code != 230 && code != 202)
        give_up(reply);
    logged_in = true;
}

/* -- The child: it takes the call, moves the bytes, and ends with 0 if that was all -------- */

static bool copy(int from, int to, const char *what)
{
    char part[PART];
    long long bytes = 0;
    ssize_t n;

    while ((n = read(from, part, sizeof part)) > 0) {
        if (!put(to, part, (size_t)n))
            break;
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\r%s: %lld bytes ", what, bytes += n);
    }
    return n == 0 || complain("%s: %s", what, strerror(errno));
}

/* Lines as a terminal wants them. */
static bool show(int from)
{
    char part[PART];
    ssize_t n;
    bool cr = false;

    while ((n = read(from, part, sizeof part)) > 0)
        for (ssize_t i = 0; i < n; i++) {
            if (cr && part[i] != '\n')
                putchar('\r');
            cr = part[i] == '\r';
            if (!cr)
                putchar(part[i]);
        }
    if (cr)
        putchar('\r');
    return (fflush(stdout) == 0 && n == 0) || complain("ls: %s", strerror(errno));
}

static bool is_server(int fd)
{
    struct sockaddr_storage one = { 0 }, other = { 0 };
    socklen_t len = sizeof one;

    if (getpeername(fd, (struct sockaddr *)&one, &len) < 0
        || getpeername(control_fd, (struct sockaddr *)&other, &len) < 0)
        return false;
    ((struct sockaddr_in *)&one)->sin_port = ((struct sockaddr_in *)&other)->sin_port = 0;
    return memcmp(&one, &other, sizeof one) == 0;
}

/* MODE: r, w, or l for a list. FILE_FD is the file. */
_Noreturn static void take_call(int listen_fd, int file_fd, char mode, const char *what)
{
    struct pollfd wait = { .fd = listen_fd, .events = POLLIN };
    int fd = -1;

    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    while (fd < 0 && poll(&wait, 1, NO_CALL * 1000) == 1) {
        fd = accept(listen_fd, NULL, NULL);
        if (fd >= 0 && !is_server(fd)) {
            close(fd);
            fd = -1;
        }
    }
    close(listen_fd);
    if (fd < 0)
        _exit(!complain("%s: the server does not call", what));
    _exit(!(mode == 'l' ? show(fd) : mode == 'r' ? copy(fd, file_fd, what)
            : copy(file_fd, fd, what)));
}

/* -- Transfers ---------------------------------------------------------------------------- */

/* A socket whose address the server has been told, or -1. */
static int offer(const char *what)
{
    struct sockaddr_storage own;
    socklen_t len = sizeof own;
    char ip[INET6_ADDRSTRLEN], text[100];
    int listen_fd;

    getsockname(control_fd, (struct sockaddr *)&own, &len);
    bool v4 = own.ss_family == AF_INET;
    void *address = v4 ? (void *)&((struct sockaddr_in *)&own)->sin_addr
        : (void *)&((struct sockaddr_in6 *)&own)->sin6_addr;
    ((struct sockaddr_in *)&own)->sin_port = 0;
    if ((listen_fd = socket(own.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0
        || bind(listen_fd, (struct sockaddr *)&own, len) < 0 || listen(listen_fd, 1) < 0
        || getsockname(listen_fd, (struct sockaddr *)&own, &len) < 0) {
        complain("%s: %s", what, strerror(errno));
        close(listen_fd);
        return -1;
    }
    unsigned at = ntohs(((struct sockaddr_in *)&own)->sin_port);
    inet_ntop(own.ss_family, address, ip, sizeof ip);
    snprintf(text, sizeof text, "|%d|%s|%u|", v4 ? 1 : 2, ip, at);
    int code = command("EPRT", text);
    if (v4 && code / 100 == 5) {
        for (char *dot; (dot = strchr(ip, '.')) != NULL; )
            *dot = ',';
        snprintf(text, sizeof text, "%s,%u,%u", ip, at >> 8, at & 255);
        code = command("PORT", text);
    }
    if (code / 100 == 2)
        return listen_fd;
    complain("%s: %s", what, reply);
    close(listen_fd);
    return -1;
}

/* Whether VERB is done, all of it, with FILE_FD as take_call() has it. */
static bool move(const char *verb, const char *argument, char mode, int file_fd)
{
    const char *what = mode == 'l' ? "ls" : argument;
    int status = -1, listen_fd = offer(what);

    if (listen_fd < 0)
        return false;
    child = fork();
    if (child == 0)
        take_call(listen_fd, file_fd, mode, what);
    close(listen_fd);
    int code = child < 0 ? 0 : command(verb, argument);
    while (code / 100 == 1)
        code = read_reply();
    if (child > 0 && code / 100 != 2)
        kill(child, SIGKILL);
    if (child > 0)
        waitpid(child, &status, 0);
    child = -1;
    if (isatty(STDERR_FILENO))
        fputc('\n', stderr);
    return code / 100 == 2 ? status == 0 : complain("%s: %s", what, reply);
}

/* A file is to come, or go: that is not text. */
static bool be_binary(void)
{
    log_in();
    if (!binary && command("TYPE", "I") / 100 != 2)
        return complain("TYPE I: %s", reply);
    binary = true;
    return true;
}

static bool get(const char *remote, const char *local)
{
    struct stat status;
    const char *slash = strrchr(local, '/');
    int fd = -1;

    if (!be_binary())
        return false;
    snprintf(temporary, sizeof temporary, "%.*s.%ld.part", slash ? (int)(slash + 1 - local) : 0,
             local, (long)getpid());
    if (stat(local, &status) == 0 && S_ISDIR(status.st_mode))
        errno = EISDIR;
    else
        fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        *temporary = '\0';
        return complain("get %s: %s: %s", remote, local, strerror(errno));
    }
    bool whole = move("RETR", remote, 'r', fd);
    if (close(fd) < 0 || (whole && rename(temporary, local) < 0))
        whole = complain("get %s: %s: %s", remote, local, strerror(errno));
    if (whole)
        *temporary = '\0';
    forget_temporary();
    return whole;
}

static bool store(const char *local, const char *remote)
{
    struct stat status;
    int fd = open(local, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        complain("put %s: %s", local, fd < 0 ? strerror(errno) : "not a file");
        close(fd);
        return false;
    }
    bool whole = be_binary() && move("STOR", remote, 'w', fd);
    close(fd);
    return whole;
}

static bool list(void)
{
    log_in();
    return move("NLST", "", 'l', -1);
}

/* One line of standard input, byte by byte; false at its end. */
static bool read_words(char *line, size_t size)
{
    size_t len = 0;
    ssize_t n;
    char c = '\0';

    if (isatty(STDIN_FILENO))
        put(STDERR_FILENO, "ftp> ", 5);
    while ((n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
        if (len + 1 < size)
            line[len++] = c;
    line[len] = '\0';
    if (n < 0)
        give_up(strerror(errno));
    return n == 1 || len > 0;
}

int main(int argc, char *argv[])
{
    char line[2 * PATH_MAX];
    bool all = true;
    enum verdict verdict = DONE;

    read_options(argc, argv);
    signal(SIGINT, end_by_signal);
    signal(SIGTERM, end_by_signal);
    control_fd = open_socket(host, port, 0, connect);
    int code;
    while ((code = read_reply()) / 100 == 1)
        ;
    if (code / 100 != 2)
        give_up(reply);
    if (optind < argc)
        all = obey(argv + optind, argc - optind) != FAILED;
    while (optind == argc && verdict != QUIT && read_words(line, sizeof line)) {
        verdict = obey_line(line);
        all &= verdict == DONE || verdict == QUIT;
    }
    put(control_fd, "QUIT\r\n", 6);
    while (read_line() && strncmp(reply, "221 ", 4) != 0)
        ;
    return all ? 0 : 1;
}
