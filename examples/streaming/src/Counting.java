import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * Counts an endless sequence of numbers by their last digit, in keyed state. It fails when a count
 * is not what the sequence says it must be, that is, when state was lost or read twice.
 *
 * <p>Arguments: how many numbers a second (200), and a word for its log ("hello").
 */
public final class Counting {
    private static final long DIGITS = 10;

    public static void main(String[] args) throws Exception {
        long rate = args.length > 0 ? Long.parseLong(args[0]) : 200;
        String word = args.length > 1 ? args[1] : "hello";
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        environment
                .fromSequence(0, Long.MAX_VALUE - 1)
                .uid("numbers")
                .map(number -> {
                    Thread.sleep(Math.max(1, 1000 / rate));
                    return number;
                })
                .returns(Long.class)
                .uid("slowly")
                .keyBy(number -> number % DIGITS)
                .process(new Count(word))
                .uid("count")
                .name("Count")
                .sinkTo(new DiscardingSink<>())
                .uid("nowhere");
        environment.execute("Counting");
    }

    /** Counts what it sees of each digit, and tells how much that is in all. */
    private static final class Count extends KeyedProcessFunction<Long, Long, Long>
            implements CheckpointedFunction {
        private final String word;
        private transient ValueState<Long> seen;
        private transient ListState<Long> kept;
        private long counted;

        Count(String word) {
            this.word = word;
        }

        @Override
        public void open(OpenContext context) {
            seen = getRuntimeContext().getState(new ValueStateDescriptor<>("seen", Long.class));
            getRuntimeContext().getMetricGroup().gauge("counted", () -> counted);
        }

        @Override
        public void initializeState(FunctionInitializationContext context) throws Exception {
            kept = context.getOperatorStateStore().getListState(new ListStateDescriptor<>("counted", Long.class));
            for (long count : kept.get()) {
                counted += count;
            }
            System.out.println(word + ", going on from " + counted);
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) throws Exception {
            kept.update(java.util.List.of(counted));
        }

        @Override
        public void processElement(Long number, Context context, Collector<Long> out) throws Exception {
            long before = seen.value() == null ? 0 : seen.value();
            boolean alone = getRuntimeContext().getTaskInfo().getNumberOfParallelSubtasks() == 1;
            if (alone && before != number / DIGITS) {
                throw new IllegalStateException(number + " came after " + before + " others of its digit");
            }
            seen.update(before + 1);
            counted += 1;
            out.collect(number);
        }
    }
}
