# usage: compare-pairs.sh DIR
# Evaluates every DIR/NAME.mix against DIR/NAME.plain.mix, which must agree.
status=0
for plain in "$1"/*.plain.mix; do
  name=$(basename "$plain" .plain.mix)
  mix-translate "$1/$name.mix" > "$1/a.mlir" && mix-translate "$plain" > "$1/b.mlir" &&
    mix-evaluate "$1/a.mlir" --against "$1/b.mlir" --tolerance 1e-12 --range idx=-2:8 \
      --size T=0,K=3,V=2,L=1,N=2 --size T=1,K=3,V=2,L=1,N=2 \
      --size T=11,K=3,V=5,L=6,N=4 --size T=16,K=1,V=4,L=20,N=7 > "$1/report" 2>&1 ||
    { echo "$name differs:"; cat "$1/report"; status=1; continue; }
  echo "$name agrees: $(tail -n 1 "$1/report")"
done
exit $status
