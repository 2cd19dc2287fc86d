set -e
cd /tmp
export HOME=/tmp LC_ALL=C.UTF-8 PYTHONHASHSEED=1

cat >a.py <<'END'
import decimal, hashlib, json, math, re, zlib
d = {str(i): [i / 7, math.sin(i), i ** 9, hashlib.sha256(b'%d' % i).hexdigest()] for i in range(2000)}
s = json.dumps(d)
print(len(s), zlib.crc32(s.encode()), len(zlib.compress(s.encode(), 9)), json.loads(s) == d)
print(len(re.findall(r'[a-f]\d+[a-f]', s)), sorted(d, key=lambda k: d[k][1])[:3])
decimal.getcontext().prec = 60
print(decimal.Decimal(2).sqrt(), math.fsum(math.exp(-i / 9) * math.atan2(i, 3) for i in range(3000)), pow(3, 10 ** 4, 10 ** 40 + 7))
END
echo python3; python3 a.py

cat >a.pl <<'END'
my %n; my $t = ''; for (1 .. 6000) { $t .= chr(97 + $_ * $_ % 26) . ($_ % 7 ? '' : ' ') }
$n{$_}++ for split / /, $t; my @k = sort { $n{$b} <=> $n{$a} || $a cmp $b } keys %n;
(my $u = $t) =~ s/([aeiou])(\w)/$2\U$1/g; printf "%d %s %s %.15g %d\n", scalar @k, $k[0], substr($u, 0, 20), exp(1) ** 7.5 + sqrt(3) / atan2(1, 7), unpack('%32C*', $u);
END
echo perl; perl a.pl

cat >a.lua <<'END'
local t, s = {}, 0
for i = 1, 60000 do t[i] = (i * 7919) % 10007 + i / 3 end
table.sort(t)
for i, v in ipairs(t) do s = s + math.sin(v) * (i % 3) end
local w = ("lock step "):rep(500):gsub("%w+", function(x) return x:upper():reverse() end)
print(string.format("%.14g %d %d %x", s, #w, 7 // 2 ~ 0x1234567890abc, math.maxinteger >> 3))
END
echo lua; lua5.4 a.lua

cat >a.rb <<'END'
h = (1..4000).to_h { |i| [i.to_s(36), Math.cbrt(i) * Math.log(i + 1)] }
puts h.values.sum, h.keys.map(&:succ).sort.last(3).inspect, (1..150).inject(:*) % 1000003, h.keys.join.scan(/[a-c]{2}/).size, Rational(3, 7) ** 20
END
echo ruby; ruby a.rb

echo git
export GIT_AUTHOR_DATE='2020-01-01 00:00 +0000' GIT_COMMITTER_DATE='2020-01-01 00:00 +0000'
git -c init.defaultBranch=main init -q r
cd r
git config user.name n
git config user.email n@e
cp ../a.* .
for i in 1 2 3; do echo $i >>a.py; git add .; git commit -q -m $i; done
git gc -q
git log --format=%H
git diff HEAD~2 --stat
git fsck
cd ..

cat >a.c <<'END'
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int by(const void *a, const void *b) { double x = *(const double *)a - *(const double *)b; return (x > 0) - (x < 0); }
int main(void) {
	static double v[20000];
	unsigned long long h = 1469598103934665603ull;
	long double l = 0;
	for (int i = 0; i < 20000; i++) v[i] = fmod(i * 12345.678, 97) + tan(i), l += sqrtl(i) / (i + 1);
	qsort(v, 20000, sizeof *v, by);
	for (size_t i = 0; i < sizeof v; i++) h = (h ^ ((unsigned char *)v)[i]) * 1099511628211ull;
	printf("%llx %.18Lg %d\n", h, l, (int)strlen(getenv("HOME")));
}
END
echo gcc
gcc -O2 -o c a.c -lm && ./c
gcc -O2 -msse2 -mfpmath=sse -ftree-vectorize -o c a.c -lm && ./c
md5sum c

cat >a.js <<'END'
const c = require('crypto'), z = require('zlib');
function f(n) { let s = 0; for (let i = 0; i < n; i++) s = (s * 31 + (i ^ s >>> 3)) | 0; return s; }
const o = []; for (let i = 0; i < 3000; i++) o.push({ k: 'x' + i * 7919 % 1009, v: Math.sin(i) * f(i) });
o.sort((a, b) => a.k < b.k ? -1 : a.k > b.k ? 1 : a.v - b.v);
const s = JSON.stringify(o);
console.log(c.createHash('sha256').update(s).digest('hex'), z.deflateSync(s).length, s.replace(/x(\d)/g, (m, d) => d * 2).length, f(300000), 2n ** 200n % 1000007n);
END
echo node; node --version; node a.js
