"""Small servers of lab 01 that do something else than they should, and a client for them."""

from __future__ import annotations

HEAD = """
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in at(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static inline int listen_at(int port)
{
    struct sockaddr_in a = at(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 5))
        perror("server");
    printf("listening\\n");
    fflush(stdout);
    return fd;
}

static inline void echo_all(int listen_fd)
{
    char data[100];
    ssize_t n;

    for (;;) {
        int fd = accept(listen_fd, NULL, NULL);
        while ((n = read(fd, data, sizeof data)) > 0)
            if (write(fd, data, n) < 0)
                break;
        close(fd);
    }
}
"""

CLIENT = HEAD + """
int main(void)
{
    struct sockaddr_in a = at(4321);
    char data[100];
    ssize_t n;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0 || write(fd, "hello\\n", 6) < 0) {
        perror("client: connect");
        return 1;
    }
    shutdown(fd, SHUT_WR);
    while ((n = read(fd, data, sizeof data)) > 0)
        if (write(1, data, n) < 0)
            return 1;
    if (n < 0)
        perror("client: read");
    return n < 0;
}
"""


def server(*statements: str) -> str:
    """A program that does STATEMENTS."""
    return f"{HEAD}int main(void)\n{{\n" + "".join(f"    {s};\n" for s in statements) + "}\n"


SERVERS = {
    "leaves": server("return 7"),
    "unwritten": server('fputs("server: not written yet: step 4: listen\\n", stderr)', "return 3"),
    "elsewhere": server("echo_all(listen_at(4322))"),
    "crashes": server("accept(listen_at(4321), NULL, NULL)", "raise(SIGSEGV)"),
    "lingers": server("int fd = listen_at(4321)", "close(accept(fd, NULL, NULL))", "close(fd)",
                      "for (volatile long i = 0; i < 200000000; i++) {}", "raise(SIGSEGV)"),
    "mute": server("accept(listen_at(4321), NULL, NULL)", "for (;;) pause()"),
    "deaf": server("int fd = listen_at(4321)", "for (;;) { int c = accept(fd, NULL, NULL); "
                   "char b; recv(c, &b, 1, MSG_PEEK); close(c); }"),
    "stubborn": server("signal(SIGINT, SIG_IGN)", "echo_all(listen_at(4321))"),
    "restless": server("for (;;) {}"),
    "loud": server(r'for (int i = 0; i < 1000; i++) printf("\x1b[31mred\x07%90d\n", i)',
                   "fflush(stdout)", "echo_all(listen_at(4321))"),
    "wide": server('for (int i = 0; i < 50; i++) printf("你好")', 'printf("\\n")',
                   "fflush(stdout)", "echo_all(listen_at(4321))"),
}


def who(path: object) -> str:
    """Says as whom it runs, and whether it sees PATH."""
    return server('char line[200] = ""', 'FILE *f = fopen("/etc/passwd", "r")',
                  "if (f == NULL || fgets(line, sizeof line, f) == NULL) return 1",
                  rf'printf("%s%s\n", line, access("{path}", F_OK) ? "inside" : "outside")',
                  "fflush(stdout)", "echo_all(listen_at(4321))")


SLOW_SERVER = server(
    "struct sockaddr_in a = at(6000), from", "socklen_t size = sizeof from", "char data[100]",
    "int fd = socket(AF_INET, SOCK_DGRAM, 0)", "bind(fd, (struct sockaddr *)&a, sizeof a)",
    "ssize_t n = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &size)",
    "sleep(3)", "sendto(fd, data, n, 0, (struct sockaddr *)&from, size)", "for (;;) pause()")
"""Of lab 03: answers one datagram, after three seconds."""
PATIENT_CLIENT = server(
    "struct sockaddr_in a = at(6000)", "char data[100]", "ssize_t n",
    "int fd = socket(AF_INET, SOCK_DGRAM, 0)", "connect(fd, (struct sockaddr *)&a, sizeof a)",
    "n = read(0, data, sizeof data)", "send(fd, data, n - 1, 0)",
    "n = recv(fd, data, sizeof data, 0)", r'printf("%.*s\n", (int)n, data)', "fflush(stdout)",
    "return read(0, data, 1) != 0")
"""Of lab 03: waits for the answer as long as it takes."""
