// Mesa's lavapipe behind another name, for the bench on machines without a GPU.
//
// As Chromium's libvk_swiftshader.so: Dawn, which opens that library by name, computes on llvmpipe (wider subgroups,
// shader-f16, kernels compiled by LLVM). With INSHORE_NO_KERNELS set, also as a Vulkan driver: everything is done but the
// kernels, so that the time of a step is what launching it costs.
//
// Vulkan's headers are not needed: structures are touched at the offsets that its ABI fixes for 64-bit systems.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void (*Function)(void);
typedef Function (*Lookup)(void *, const char *);

static Lookup instance_lookup, physical_lookup, device_lookup;
static int (*negotiate)(uint32_t *);

static void load(void) {
  if (instance_lookup) return;
  const char *path = getenv("INSHORE_LAVAPIPE");
  void *driver = dlopen(path ? path : "libvulkan_lvp.so", RTLD_NOW | RTLD_LOCAL);
  if (!driver) {
    fprintf(stderr, "lavapipe is not there: %s\n", dlerror());
    abort();
  }
  instance_lookup = (Lookup)dlsym(driver, "vk_icdGetInstanceProcAddr");
  physical_lookup = (Lookup)dlsym(driver, "vk_icdGetPhysicalDeviceProcAddr");
  negotiate = (int (*)(uint32_t *))dlsym(driver, "vk_icdNegotiateLoaderICDInterfaceVersion");
}

// VkPhysicalDeviceProperties: vendorID and deviceID come third and fourth. Dawn takes SwiftShader's ids alone from this
// library.
static void (*properties)(void *, uint32_t *);
static void (*properties2)(void *, char *);
static void rename_device(uint32_t *found) {
  found[2] = 0x1AE0;
  found[3] = 0xC0DE;
}
static void named_properties(void *device, uint32_t *found) {
  properties(device, found);
  rename_device(found);
}
static void named_properties2(void *device, char *found) {
  properties2(device, found);
  rename_device((uint32_t *)(found + 16));
}

// VkPhysicalDeviceFeatures 33 to 36, shader*ArrayDynamicIndexing: Dawn insists on them, Mesa 22 does not name them, and
// only arrays of bindings need them, which WGSL lacks. Said to be there, and taken out again when the device is made.
enum { FIRST_INDEXING = 33, LAST_INDEXING = 36, FEATURES2 = 1000059000 };
static void (*features)(void *, uint32_t *);
static void (*features2)(void *, char *);
static int (*create_device)(void *, char *, void *, void *);
static uint32_t was_missing[LAST_INDEXING + 1];
static void add_indexing(uint32_t *found) {
  for (int i = FIRST_INDEXING; i <= LAST_INDEXING; i++) {
    if (found[i]) continue;
    was_missing[i] = 1;
    found[i] = 1;
  }
}
static void remove_indexing(uint32_t *wanted) {
  for (int i = FIRST_INDEXING; i <= LAST_INDEXING; i++)
    if (was_missing[i]) wanted[i] = 0;
}
static void more_features(void *device, uint32_t *found) {
  features(device, found);
  add_indexing(found);
}
static void more_features2(void *device, char *found) {
  features2(device, found);
  add_indexing((uint32_t *)(found + 16));
}
// VkDeviceCreateInfo: pNext at 8, pEnabledFeatures at 64.
static int create_device_as_it_is(void *physical, char *info, void *allocator, void *device) {
  for (char *next = *(char **)(info + 8); next; next = *(char **)(next + 8))
    if (*(uint32_t *)next == FEATURES2) remove_indexing((uint32_t *)(next + 16));
  uint32_t *wanted = *(uint32_t **)(info + 64);
  if (wanted) remove_indexing(wanted);
  return create_device(physical, info, allocator, device);
}

static void no_dispatch(void *commands, uint32_t x, uint32_t y, uint32_t z) {}
static void no_dispatch_indirect(void *commands, void *buffer, uint64_t offset) {}
static Function of_device(void *device, const char *name) {
  if (getenv("INSHORE_NO_KERNELS")) {
    if (!strcmp(name, "vkCmdDispatch")) return (Function)no_dispatch;
    if (!strcmp(name, "vkCmdDispatchIndirect")) return (Function)no_dispatch_indirect;
  }
  return device_lookup(device, name);
}

#define HOOK(VULKAN, REAL, OURS) \
  if (!strcmp(name, VULKAN)) {   \
    REAL = (void *)found;        \
    return (Function)(OURS);     \
  }

static Function of_instance(void *instance, const char *name) {
  load();
  if (!strcmp(name, "vkGetInstanceProcAddr")) return (Function)of_instance;
  Function found = instance_lookup(instance, name);
  if (!instance || !found) return found;
  HOOK("vkGetPhysicalDeviceProperties", properties, named_properties)
  HOOK("vkGetPhysicalDeviceProperties2", properties2, named_properties2)
  HOOK("vkGetPhysicalDeviceProperties2KHR", properties2, named_properties2)
  HOOK("vkGetPhysicalDeviceFeatures", features, more_features)
  HOOK("vkGetPhysicalDeviceFeatures2", features2, more_features2)
  HOOK("vkGetPhysicalDeviceFeatures2KHR", features2, more_features2)
  HOOK("vkCreateDevice", create_device, create_device_as_it_is)
  HOOK("vkGetDeviceProcAddr", device_lookup, of_device)
  return found;
}

#define EXPORT __attribute__((visibility("default")))
EXPORT Function vkGetInstanceProcAddr(void *instance, const char *name) { return of_instance(instance, name); }
EXPORT Function vk_icdGetInstanceProcAddr(void *instance, const char *name) { return of_instance(instance, name); }
EXPORT Function vk_icdGetPhysicalDeviceProcAddr(void *instance, const char *name) {
  load();
  return physical_lookup(instance, name);
}
EXPORT int vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
  load();
  return negotiate(version);
}
