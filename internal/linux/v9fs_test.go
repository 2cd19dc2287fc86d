package linux

import "testing"

func TestACLFault(t *testing.T) {
	for _, tt := range []struct {
		release       string
		owned, shared bool
	}{
		{"5.10.0-30-686", false, false}, {"5.19.3", true, false}, {"6.1.0-50-686-pae", true, false}, {"6.6.80-0-virt", true, false}, {"6.8", true, false},
		{"6.9.0", true, true}, {"6.11.11-0-virt", true, true}, {"6.12", true, true}, {"6.12.22-0-virt", true, true},
		{"6.12.23-0-virt", false, false}, {"6.12.48+deb13-686", false, false}, {"6.13.10", true, true}, {"6.13.11", false, false},
		{"6.14.1-0-virt", true, true}, {"6.14.2", false, false}, {"6.15.0", false, false}, {"7.1.3", false, false},
		{"", true, true}, {"mine", true, true},
	} {
		if owned, shared := ACLFault(tt.release, CacheOwned), ACLFault(tt.release, CacheShared); owned != tt.owned || shared != tt.shared {
			t.Errorf("%q: %v on the root, %v on volumes; want %v, %v", tt.release, owned, shared, tt.owned, tt.shared)
		}
	}
}
