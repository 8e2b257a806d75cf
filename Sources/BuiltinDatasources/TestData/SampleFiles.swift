// SPDX-License-Identifier: Apache-2.0

/// The files of the scenario `csv_file`.
///
/// The names are those of Grafana's plugin, so that saved queries find them. The content is invented for this project:
/// small, plausible, and not to be quoted as statistics.
enum SampleFiles {
    static let byName: [String: String] = [
        "automobiles.csv": automobiles,
        "browser_marketshare.csv": browserMarketShare,
        "flight_info_by_state.csv": flightInfoByState,
        "gdp_per_capita.csv": gdpPerCapita,
        "js_libraries.csv": jsLibraries,
        "ohlc_dogecoin.csv": ohlcDogecoin,
        "population_by_state.csv": populationByState,
        "weight_height.csv": weightHeight,
    ]

    private static let automobiles = """
        Make,Model,Year,Horsepower,Weight kg,Electric
        Aster,City,2012,68,930,false
        Aster,Tourer,2015,120,1340,false
        Borealis,Pike,2018,204,1710,true
        Borealis,Pike Long,2021,299,2040,true
        Cobalt,Runner,2009,95,1105,false
        Cobalt,Hauler,2016,170,2250,false
        Dune,Spark,2023,136,1480,true
        """

    private static let browserMarketShare = """
        Browser,2019,2021,2023
        Alpha,61.5,63.2,62.8
        Beacon,16.4,18.9,20.1
        Comet,8.7,7.1,6.4
        Drift,4.9,3.8,4.6
        Other,8.5,7.0,6.1
        """

    private static let flightInfoByState = """
        State,Lat,Lng,Flights,Delayed
        Alaska,64.2,-152.5,1204,121
        California,36.8,-119.4,18950,3012
        Colorado,39.1,-105.4,7420,1180
        Florida,27.7,-81.5,13210,2874
        New York,42.9,-75.5,12105,2650
        Texas,31.0,-99.9,16330,2871
        Washington,47.4,-120.7,5840,733
        """

    private static let gdpPerCapita = """
        Country,Time,Value
        Northland,1577836800000,41200
        Northland,1609459200000,39850
        Northland,1640995200000,42630
        Southland,1577836800000,12110
        Southland,1609459200000,11740
        Southland,1640995200000,
        Westland,1577836800000,57900
        Westland,1609459200000,58120
        Westland,1640995200000,60440
        """

    private static let jsLibraries = """
        Library,License,Stars,Size kB,Typed
        arrowtail,MIT,41200,6.5,true
        bluebox,Apache-2.0,18950,102.3,true
        cinder,MIT,9300,31,false
        dovetail,ISC,2750,3.2,true
        emberglow,BSD-3-Clause,870,,false
        """

    private static let ohlcDogecoin = """
        time,open,high,low,close,volume
        1641000000000,0.1703,0.1741,0.1687,0.1726,312000441
        1641086400000,0.1726,0.1768,0.1719,0.1751,289114020
        1641172800000,0.1751,0.1755,0.1672,0.1694,401220913
        1641259200000,0.1694,0.1712,0.1660,0.1671,350998127
        1641345600000,0.1671,0.1688,0.1523,0.1588,622317750
        1641432000000,0.1588,0.1625,0.1549,0.1611,405118866
        """

    private static let populationByState = """
        State,Code,Population
        Alaska,AK,730000
        California,CA,39000000
        Colorado,CO,5800000
        Florida,FL,22000000
        New York,NY,19700000
        Texas,TX,30000000
        Washington,WA,7800000
        """

    private static let weightHeight = """
        Gender,Height cm,Weight kg
        Female,158.5,52.4
        Female,163.0,58.9
        Female,167.2,61.3
        Female,171.9,66.0
        Male,169.4,68.8
        Male,175.1,74.2
        Male,180.6,80.5
        Male,188.3,91.7
        """
}
