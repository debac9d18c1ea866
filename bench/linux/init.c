/*
 * The first and only process of the Linux guest that aemos is measured beside: it loads the drivers, sets the network up, and then serves (serve.c, streams.c),
 * measures (measure.c) or is under load (load.c). One static program in an initramfs; bench/linux.ts builds it.
 *
 * Of the kernel's command line come, as environment, mode=serve|measure|load|response|symbols, address=A.B.C.D/LEN, gateway=A.B.C.D, and modules=NAME,…: drivers that stand in /modules,
 * in the order in which they need one another.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include "guest.h"

void die(const char *what) {
  printf("%s: %s\n", what, strerror(errno));
  fflush(stdout);
  sync();
  reboot(RB_AUTOBOOT);
  _exit(1);
}

static void load_module(const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/modules/%s.ko", name);
  int fd = open(path, O_RDONLY);
  if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0) die(path);
  close(fd);
}

static struct sockaddr internet(const char *text) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  if (inet_pton(AF_INET, text, &address.sin_addr) != 1) die(text);
  struct sockaddr result;
  memcpy(&result, &address, sizeof result);
  return result;
}

static void up(int fd, const char *name) {
  struct ifreq request = {0};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(fd, SIOCGIFFLAGS, &request) < 0) die(name);
  request.ifr_flags |= IFF_UP | IFF_RUNNING;
  if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) die(name);
}

static void network(const char *address, const char *gateway) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  char text[32];
  strncpy(text, address, sizeof text - 1);
  text[sizeof text - 1] = 0;
  char *slash = strchr(text, '/');
  unsigned length = slash ? (unsigned)atoi(slash + 1) : 24;
  if (slash) *slash = 0;
  up(fd, "lo");
  struct ifreq request = {0};
  strcpy(request.ifr_name, "eth0");
  request.ifr_addr = internet(text);
  if (ioctl(fd, SIOCSIFADDR, &request) < 0) die("address of eth0");
  struct sockaddr_in mask = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(~0u << (32 - length))};
  memcpy(&request.ifr_netmask, &mask, sizeof mask);
  if (ioctl(fd, SIOCSIFNETMASK, &request) < 0) die("mask of eth0");
  up(fd, "eth0");
  struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
  route.rt_dst = internet("0.0.0.0");
  route.rt_genmask = internet("0.0.0.0");
  route.rt_gateway = internet(gateway);
  if (ioctl(fd, SIOCADDRT, &route) < 0) die("route");
  close(fd);
}

void setting(const char *path, const char *value) {
  int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, value, strlen(value)) < 0) die(path);
  close(fd);
}

unsigned long free_bytes(void) {
  struct sysinfo information;
  if (sysinfo(&information) < 0) die("sysinfo");
  return information.freeram * information.mem_unit;
}

/* Where the kernel's functions are: the package has no list of them. */
static void symbols(void) {
  char line[256];
  FILE *list = fopen("/proc/kallsyms", "r");
  if (!list) die("kallsyms");
  while (fgets(line, sizeof line, list))
    if (strstr(line, " irq_entries_start\n") || strstr(line, " spurious_entries_start\n")) fputs(line, stdout);
  puts("listed");
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  mkdir("/proc", 0755);
  mkdir("/sys", 0755);
  if (mount("proc", "/proc", "proc", 0, NULL) < 0) die("proc");
  if (mount("sys", "/sys", "sysfs", 0, NULL) < 0) die("sysfs");
  /* Descriptors for a connection each. */
  setting("/proc/sys/fs/nr_open", "1100000");
  setting("/proc/sys/fs/file-max", "1100000");
  setting("/proc/sys/fs/epoll/max_user_watches", "2200000");
  struct rlimit files = {1048576, 1048576};
  if (setrlimit(RLIMIT_NOFILE, &files) < 0) die("RLIMIT_NOFILE");
  const char *mode = getenv("mode");
  const char *address = getenv("address");
  if (address) {
    char *modules = getenv("modules");
    for (char *name = modules ? strtok(modules, ",") : NULL; name; name = strtok(NULL, ",")) load_module(name);
    const char *gateway = getenv("gateway");
    network(address, gateway ? gateway : "10.0.2.2");
    setting("/proc/sys/net/core/somaxconn", "65535");
    setting("/proc/sys/net/ipv4/tcp_max_syn_backlog", "65535");
  }
  if (mode && strcmp(mode, "measure") == 0) measure();
  else if (mode && strcmp(mode, "load") == 0) load();
  else if (mode && strcmp(mode, "symbols") == 0) symbols();
  else if (mode && strcmp(mode, "response") == 0) response();
  else {
    streams();
    serve();
  }
  sync();
  reboot(RB_AUTOBOOT);
  return 0;
}
