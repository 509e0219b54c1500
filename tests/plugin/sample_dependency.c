/* Linked by a sample plugin and then not there when it is loaded. */
__attribute__((visibility("default"))) int sample_dependency(void) { return 0; }
